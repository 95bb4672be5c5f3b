"""What the benchmarks share: services to ask, load to send, machines to name."""
