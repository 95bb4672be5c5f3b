"""Which method is best on the data at hand: `python -m benchmarks.evidence`."""
