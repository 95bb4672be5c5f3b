"""Every option of a training run: the command line, the TOML file and what they mean."""
