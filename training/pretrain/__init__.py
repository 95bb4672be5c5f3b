"""The making of the embedded backbone: `python -m training.pretrain`."""
