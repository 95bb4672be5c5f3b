"""The forward pass in ONNX Runtime."""
