"""How requests are answered: HTTP, registry, batcher and engine."""
