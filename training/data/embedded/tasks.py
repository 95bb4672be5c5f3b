"""The table of the embedded tasks."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import get_args

from training.data.embedded.digits import DIGITS
from training.data.embedded.scenes.tasks import SCENES
from training.data.embedded.sprites import SPRITES
from training.data.embedded.task import EmbeddedTask, Labelled, Split

EMBEDDED_TASKS: Mapping[str, EmbeddedTask] = MappingProxyType(
    {task.name: task for task in (DIGITS, *SPRITES, *SCENES)}
)


def load_embedded(name: str, split: Split) -> Labelled:
    """The 64x64 RGB pictures and labels of one split of an embedded task, in a fixed order.

    Raises ValueError for a task or a split that does not exist.
    """
    if name not in EMBEDDED_TASKS:
        raise ValueError(f"no embedded task {name!r}: expected one of {', '.join(sorted(EMBEDDED_TASKS))}")
    if split not in get_args(Split):
        raise ValueError(f"no split {split!r}: expected one of {', '.join(get_args(Split))}")
    return EMBEDDED_TASKS[name].load(split)
