"""A bottleneck of a few columns beside each MLP (a parallel adapter)."""
