"""Labels: movable names for versions, one small JSON file each, replaced whole."""

from collections.abc import Collection
from hashlib import blake2b
from typing import Literal

from pydantic import Field, PositiveInt

from adapters.config import FORMAT_VERSION, MAY_BE_ABSENT, StrictModel
from adapters.errors import ArtifactError, LabelMoved
from adapters.store.files import Files
from adapters.store.label_rules import LabelRules
from adapters.store.names import is_label_name
from adapters.store.strict_json import parse_json

LABELS_FOLDER = "labels"
HISTORY_LIMIT = 100
ABSENT = ""
"""Stands among expected ETags for a label that is not there."""
PRESENT = "*"
"""Stands among expected ETags for any that a label may have."""


class LabelFile(StrictModel):
    """`<task>/labels/<label>`: the version it names, those it named before, oldest first, and its rules."""

    format_version: Literal[1] = FORMAT_VERSION
    version: PositiveInt
    history: tuple[PositiveInt, ...] = ()
    rules: LabelRules | None = Field(
        default=None, exclude_if=lambda given: given is None, json_schema_extra={MAY_BE_ABSENT: True}
    )

    @property
    def etag(self) -> str:
        """Another one whenever anything of the label is another."""
        return blake2b(self.encoded(), digest_size=16).hexdigest()

    def encoded(self) -> bytes:
        """The bytes of the file; rules only where there are any."""
        return self.model_dump_json().encode() + b"\n"

    def moved_to(self, version: int) -> "LabelFile":
        """The label on another version, with the present one remembered for rollback."""
        if version == self.version:
            return self
        history = (*self.history, self.version)[-HISTORY_LIMIT:]
        return self.model_copy(update={"version": version, "history": history})

    def rolled_back(self, versions: tuple[int, ...]) -> "LabelFile | None":
        """The label on the last version before this one that still exists; None where there is none."""
        for index in range(len(self.history) - 1, -1, -1):
            if self.history[index] in versions and self.history[index] != self.version:
                update = {"version": self.history[index], "history": self.history[:index]}
                return self.model_copy(update=update)
        return None

    def ruled(self, rules: LabelRules) -> "LabelFile":
        """The label with other rules."""
        return self.model_copy(update={"rules": None if rules == LabelRules() else rules})


def require_etag(name: str, found: LabelFile | None, expected: Collection[str] | None) -> None:
    """Raise LabelMoved unless the label has one of the expected ETags; None expects nothing."""
    if expected is None or (found.etag if found else ABSENT) in expected or (found and PRESENT in expected):
        return
    now = f"names version {found.version} now, as {found.etag}" if found else "is not there"
    told = f"label {name!r} {now}; look at it again"
    raise LabelMoved(told, found.version, found.etag) if found else LabelMoved(told, None, None)


def label_key(task: str, label: str) -> str:
    """Where a label's file is in the store."""
    return f"{task}/{LABELS_FOLDER}/{label}"


def read_label(files: Files, task: str, label: str) -> LabelFile | None:
    """One label, None where there is none. Raises ArtifactError for a damaged file."""
    try:
        return parse_json(LabelFile, files.read(label_key(task, label)), f"label {label!r} of {task!r}")
    except FileNotFoundError:
        return None


def write_label(files: Files, task: str, label: str, content: LabelFile) -> None:
    """Replace a label's file whole."""
    files.put(label_key(task, label), content.encoded())


def read_labels(files: Files, task: str) -> tuple[dict[str, LabelFile], dict[str, str]]:
    """Every label of a task, and what is wrong with those that cannot be read."""
    labels: dict[str, LabelFile] = {}
    damaged: dict[str, str] = {}
    for name in sorted(files.files(f"{task}/{LABELS_FOLDER}")):
        if not is_label_name(name):
            continue
        try:
            label = read_label(files, task, name)
        except ArtifactError as error:
            damaged[name] = str(error)
        else:
            if label is not None:
                labels[name] = label
    return labels, damaged
