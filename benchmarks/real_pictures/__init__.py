"""Real tasks trained and served: `python -m benchmarks.real_pictures`."""
