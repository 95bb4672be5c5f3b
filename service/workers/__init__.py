"""Several processes on one address: a supervisor that starts and replaces them, and each one's part in it."""
