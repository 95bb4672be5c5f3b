"""The paper's tables and figure, made again."""
