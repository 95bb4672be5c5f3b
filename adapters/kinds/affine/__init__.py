"""A scale and shift behind norms and branches of each block (SSF), and every bias (BitFit)."""
