"""The frozen ViT: loading and digesting it, its forward pass with prompts, its ONNX graphs."""
