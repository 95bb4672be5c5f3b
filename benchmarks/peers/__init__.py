"""Ours against other servers: `python -m benchmarks.peers`."""
