"""`dvpt-adapters`, the command line of a store."""
