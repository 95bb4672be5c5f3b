"""What a task costs in memory: `python -m benchmarks.memory`."""
