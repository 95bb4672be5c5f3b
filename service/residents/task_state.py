"""What is known of one task: by the store, in memory, and of what was refused."""

from dataclasses import dataclass, field

from adapters.config import STABLE
from adapters.store.files import Stamp
from adapters.store.task_record import TaskRecord
from service.residents.refusals import Refusal
from service.residents.residency import Resident


@dataclass(eq=False, slots=True)
class TaskState:
    """What is known of one task: the store's record, what is in memory, what was refused.

    `serving` is what answers for each label: the version it names, or the one before until that is ready.
    `stamps` are those of the versions in memory when they were read.
    """

    record: TaskRecord
    residents: dict[int, Resident] = field(default_factory=dict)
    serving: dict[str, Resident] = field(default_factory=dict)
    refusals: dict[int, Refusal] = field(default_factory=dict)
    stamps: dict[int, Stamp | None] = field(default_factory=dict)

    @property
    def changed(self) -> list[int]:
        """The versions in memory whose files were changed under the same number since they were read."""
        now = self.record.stamps
        return [at for at in self.residents if at in now and now[at] != self.stamps.get(at)]

    @property
    def up_to_date(self) -> bool:
        """Whether every label serves the version it names, and all that is held is still in the store."""
        labels, serving = self.record.labels, self.serving
        wanted = {label: at for label, at in labels.items() if label in serving or label == STABLE}
        served = {label: resident.version for label, resident in serving.items()}
        return (
            served == wanted
            and not self.changed
            and {*self.residents, *self.refusals}.issubset(self.record.versions)
        )
