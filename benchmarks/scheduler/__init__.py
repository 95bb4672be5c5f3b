"""The batcher at GPU speed: `python -m benchmarks.scheduler`."""
