"""What every model takes and gives: tasks differ in their classes alone."""

INPUT = "image"
PROBABILITIES, LABEL, ACCEPTED = "probabilities", "label", "accepted"
OUTPUTS = (PROBABILITIES, LABEL, ACCEPTED)
PLATFORM = "dvpt"
EXTENSIONS = (
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "model_repository",
    "parameters",
    "statistics",
)
