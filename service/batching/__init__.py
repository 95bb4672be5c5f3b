"""Which pictures run together, and when. Knows no torch and no HTTP."""
