"""The other processes that serve the same address: how they are asked about a task, and answer."""
