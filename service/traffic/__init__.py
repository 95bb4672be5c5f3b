"""Which label answers a plain request, what others answer unseen beside it, and what follows from that."""
