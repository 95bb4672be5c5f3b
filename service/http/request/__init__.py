"""What a request brings, read within its limits."""
