"""What is said of a finished run: what it found, where that comes from, and the model card."""
