"""Running jobs: the runner, one job's run, what workers do, and where they do it."""
