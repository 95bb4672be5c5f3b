"""What is known of a task that has something in memory, on its way there, or refused."""

from dataclasses import dataclass, field

from adapters.store.files import Stamp
from adapters.store.task_record import TaskRecord
from service.residents.refusals import Refusal
from service.residents.resident import Resident


@dataclass(eq=False, slots=True)
class TaskState:
    """What is known of one task: the store's record, what is in memory, what was refused.

    `serving` is what answers for each label in use: the version it names, or the one before until that is
    ready. `stamps` are those of the versions in memory when they were read. `wanted`: the labels whose
    versions are to be in memory whoever asks.
    """

    record: TaskRecord
    wanted: frozenset[str] = frozenset()
    pinned: bool = False
    residents: dict[int, Resident] = field(default_factory=dict)
    serving: dict[str, Resident] = field(default_factory=dict)
    refusals: dict[int, Refusal] = field(default_factory=dict)
    stamps: dict[int, Stamp | None] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether the record tells all there is to tell."""
        return not (self.residents or self.serving or self.refusals or self.wanted)

    @property
    def changed(self) -> list[int]:
        """The versions in memory whose files were changed under the same number since they were read."""
        now = self.record.stamps
        return [at for at in self.residents if at in now and now[at] != self.stamps.get(at)]

    @property
    def up_to_date(self) -> bool:
        """Whether every label in use serves the version it names, and the store has all that is held."""
        labels, serving = self.record.labels, self.serving
        wanted = {label: at for label, at in labels.items() if label in serving or label in self.wanted}
        served = {label: resident.version for label, resident in serving.items()}
        return (
            served == wanted
            and not self.changed
            and {*self.residents, *self.refusals}.issubset(self.record.versions)
        )

    def may_leave(self, resident: Resident) -> bool:
        """Whether a version may leave memory: not where the store might not give what answers now."""
        if self.residents.get(resident.version) is not resident:  # on its way in
            return False
        labels = self.record.labels
        answers = [label for label, serving in self.serving.items() if serving is resident]
        replaceable = all(labels.get(label) == resident.version for label in answers)
        return replaceable and not self.record.problems and not resident.pinned
