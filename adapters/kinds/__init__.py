"""The kinds of adapters: what each one's tensors are, how they run alone and stacked."""
