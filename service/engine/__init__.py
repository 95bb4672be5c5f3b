"""Engines: what runs the forward pass of a mixed batch."""
