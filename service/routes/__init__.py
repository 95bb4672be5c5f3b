"""HTTP endpoints: thin, they hand on to what does the work."""
