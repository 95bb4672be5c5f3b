"""The whole product in one run: `make demo`."""
