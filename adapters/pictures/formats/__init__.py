"""One file for each format that is read: its header, its cost, and the picture without metadata."""
