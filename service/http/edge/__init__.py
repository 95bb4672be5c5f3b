"""HTTP/1.1 on one connection: heads, bodies, deadlines, and how each ends."""
