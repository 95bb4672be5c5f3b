"""API keys: who may do what, and how much of it at a time."""
