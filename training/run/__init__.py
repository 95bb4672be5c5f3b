"""A whole run: from options to a published adapter."""
