"""How an adapter comes to be: data, methods, the training loop and its reports."""
