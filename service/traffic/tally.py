"""What was counted of a label's traffic, as long as its rules and the two versions stay the same."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from adapters.config import STABLE
from adapters.store.label_rules import LabelTraffic
from adapters.store.task_record import TaskRecord
from service.traffic.window import Window

Change = Literal["promote", "roll_back"]


@dataclass(eq=False)
class Tally:
    """One label's counts, in this process: pictures that `stable` answered too, and requests.

    `version` is the label's and `past` that of `stable`. `decided`: a rule has been acted on.
    """

    task: str
    label: str
    version: int
    past: int
    traffic: LabelTraffic
    pictures: int = 0
    agreed: int = 0
    requests: int = 0
    errors: int = 0
    decided: bool = False
    _agreements: Window | None = field(init=False)
    _failures: Window | None = field(init=False)

    def __post_init__(self) -> None:
        promote, roll_back = self.traffic.promote, self.traffic.roll_back
        self._agreements = Window(promote.over) if promote else None
        self._failures = Window(roll_back.over) if roll_back else None

    def compared(self, agreed: bool) -> None:
        """One more picture got the class that `stable` had given it, or another."""
        self.pictures += 1
        self.agreed += agreed
        if self._agreements:
            self._agreements.add(agreed)

    def asked(self, *, failed: bool) -> None:
        """One more request was answered, seen or unseen, or failed for the version's own fault."""
        self.requests += 1
        self.errors += failed
        if self._failures:
            self._failures.add(failed)

    @property
    def due(self) -> Change | None:
        """What a rule calls for. Errors count before agreement, and need not wait for a full window."""
        promote, roll_back = self.traffic.promote, self.traffic.roll_back
        if self._failures and roll_back and self._failures.share >= roll_back.errors:
            return "roll_back"
        if self._agreements and promote and self._agreements.full:
            return "promote" if self._agreements.share >= promote.agreement else None
        return None


class Tallies:
    """The counts of all labels with traffic, by task and label; of a label that nobody asks there is none."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, str], Tally] = {}

    def of(self, record: TaskRecord, label: str) -> Tally | None:
        """The counts of a label, new ones where rules or a version changed; None where it has no traffic."""
        key = record.name, label
        tally = self._tallies.get(key)
        if tally is None or not holds(tally, record):
            tally = _new_tally(record, label)
            if tally is not None:
                self._tallies[key] = tally
        return tally

    def known(self, record: TaskRecord, label: str) -> Tally | None:
        """The counts so far, None where there are none."""
        tally = self._tallies.get((record.name, label))
        return tally if tally is not None and holds(tally, record) else None

    def forget(self, tally: Tally) -> None:
        """Count anew from the next request on."""
        if self._tallies.get((tally.task, tally.label)) is tally:
            del self._tallies[tally.task, tally.label]

    def __iter__(self) -> Iterator[Tally]:
        return iter(list(self._tallies.values()))


def holds(tally: Tally, record: TaskRecord) -> bool:
    """Whether counts are of the rules and versions that a task has now."""
    rules = record.rules.get(tally.label)
    labels = record.labels
    return (
        rules is not None
        and rules.traffic == tally.traffic
        and labels.get(tally.label) == tally.version
        and labels.get(STABLE) == tally.past
    )


def _new_tally(record: TaskRecord, label: str) -> Tally | None:
    rules, version, past = record.rules.get(label), record.labels.get(label), record.labels.get(STABLE)
    if rules is None or rules.traffic is None or version is None or past is None:
        return None
    return Tally(record.name, label, version, past, rules.traffic)
