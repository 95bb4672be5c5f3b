"""Scenes with clutter, drawn by formula: count, distance and angle, as VTAB's structured tasks ask."""
