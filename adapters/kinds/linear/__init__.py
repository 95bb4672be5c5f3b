"""A head alone, on the frozen backbone's features."""
