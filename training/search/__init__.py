"""The search for learning rate and weight decay."""
