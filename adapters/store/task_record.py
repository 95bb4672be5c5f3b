"""What a look at the store tells of one task."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from adapters.errors import LabelNotFound, VersionNotFound
from adapters.store.files import Stamp
from adapters.store.label_rules import LabelRules

NO_RULES: Mapping[str, LabelRules] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """What the store has of one task: published versions in order, labels, and what cannot be read.

    `stamps` are those of the configurations. What is in neither `versions` nor `labels` is in `buried` if
    it was seen to be deleted, in `unclear` if nothing could be told of it, and else merely absent: a
    folder that is missing now tells nothing of what was in it. `has_labels`: whether the task has a
    folder of labels, None if it cannot be listed. `rules` has the labels with rules. There may be a
    hundred thousand of these, so they are to stay small.
    """

    name: str
    versions: tuple[int, ...]
    labels: Mapping[str, int]
    problems: tuple[str, ...] = ()
    stamps: Mapping[int, Stamp] = field(default_factory=dict)
    buried: frozenset[int] = frozenset()
    unclear: frozenset[int | str] = frozenset()
    has_labels: bool | None = None
    rules: Mapping[str, LabelRules] = field(default_factory=lambda: NO_RULES)

    def require_version(self, version: int) -> int:
        """The version. Raises VersionNotFound, which names the versions there are."""
        if version not in self.versions:
            versions = ", ".join(map(str, self.versions)) or "none"
            raise VersionNotFound(f"task {self.name!r} has no version {version}; it has: {versions}")
        return version

    def label_not_found(self, label: str, there: str) -> LabelNotFound:
        """The error for a label that the task lacks; `there` names those it has."""
        problems = "".join(f"; {problem}" for problem in self.problems)
        return LabelNotFound(f"task {self.name!r} has no label {label!r}; it has: {there}{problems}")
