"""Networks of the papers, as plain PyTorch that knows nothing of pruning."""
