"""Which parts of a picture carried an answer."""
