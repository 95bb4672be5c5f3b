"""Bytes to pixels: the one way of a picture, for training and serving."""
