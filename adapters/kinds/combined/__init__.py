"""Two or three kinds together in one adapter."""
