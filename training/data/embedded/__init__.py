"""The embedded tasks: nothing to download, the same pictures on every machine."""

from training.data.embedded.task import EmbeddedTask, Labelled, Split
from training.data.embedded.tasks import EMBEDDED_TASKS, load_embedded

__all__ = ["EMBEDDED_TASKS", "EmbeddedTask", "Labelled", "Split", "load_embedded"]
