"""What an adapter is: configuration, tensors, artifact, store, bank and the frozen backbone it rides on."""
