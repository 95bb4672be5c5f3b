"""Runnable comparisons and the demonstration; results name the machine, the versions and the date."""
