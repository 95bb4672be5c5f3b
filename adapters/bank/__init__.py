"""The adapters in memory, stacked by slot, and how a mixed batch finds them."""
