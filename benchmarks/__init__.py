"""Speed, as ratios measured in one run on this machine. `python -m benchmarks` lists and runs them."""
