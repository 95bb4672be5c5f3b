"""A request's hold on one version, and what is accepted of its answers."""

from dataclasses import dataclass

from adapters.config import STABLE
from adapters.kinds.acceptance import Verdict
from adapters.kinds.adapter_config import AdapterConfig
from adapters.kinds.layout import Slot
from adapters.store.label_rules import LabelThresholds


@dataclass(frozen=True)
class Lease:
    """A request's hold on one version of a task: every picture of the request is answered by it.

    `label`: for which label it answers, None where the version was asked for by number. `cold`: it had to be
    read from the store first. `thresholds` are what is ruled for that label.
    """

    task: str
    version: int
    config: AdapterConfig
    slot: Slot
    cold: bool = False
    label: str | None = STABLE
    thresholds: LabelThresholds | None = None

    def verdict(self, index: int, probability: float) -> Verdict | None:
        """What becomes of a picture whose likeliest class is `index`; None where there are no thresholds."""
        own = self.config.acceptance
        if self.thresholds is not None:
            return self.thresholds.verdict(own, index, self.config.classes[index], probability)
        return own.verdict(index, probability) if own else None
