"""Readers of the folders that people have: VTAB-1k lists, FGVC lists, class folders."""
