"""How an adapter comes to be: data, methods, the training loops and its reports."""
