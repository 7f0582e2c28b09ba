"""Running: training loop, hooks, optimizer."""
