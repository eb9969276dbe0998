"""Lightning callbacks that any Trainer can use: a wall-clock budget, a divergence guard, a throughput meter."""
