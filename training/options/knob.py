"""One option as a field: its place in `--help`, its limits, and whether the run's key has it."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field
from pydantic.config import JsonDict

COMMON = "what to train"
METHOD = "method"
OPTIMIZATION = "optimization"
AUGMENTATION = "augmentation of the training pictures"
DATA = "data and splits"
PICTURES = "pictures of your own"
MACHINE = "machine and run"
PUBLISHING = "publishing"


def knob(
    default: Any,
    group: str,
    description: str,
    *,
    keyed: bool = True,
    by_content: bool = False,
    choices: Sequence[str] = (),
    **limits: Any,
) -> Any:
    """One field: its group in `--help`, one line of what it does, its limits.

    `keyed` says that it changes the trained tensors, and so belongs to the run's key, `by_content` that the
    key has what it amounts to (pictures, weights), however it is spelled. `choices` are what `--help` offers
    where the type does not say it.
    """
    extra: JsonDict = {
        "group": group, "keyed": keyed, "by_content": by_content, "choices": list(choices)
    }  # fmt: skip
    return Field(default, description=description, json_schema_extra=extra, **limits)
