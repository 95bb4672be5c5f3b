"""The Open Inference Protocol, version 2 (KServe, Triton, MLServer): a model is a task."""
