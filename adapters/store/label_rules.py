"""What an operator rules for a label while the service runs: its share of the traffic, its thresholds."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from adapters.config import StrictModel
from adapters.kinds.acceptance import Acceptance, Part, Verdict

Window = Annotated[int, Field(ge=1, le=1_000_000)]
"""How many of the last pictures or requests a rule goes by; whoever counts keeps a byte for each."""


class PromoteRule(StrictModel):
    """Move `stable` here once at least `agreement` of the last `over` pictures got the answer of `stable`."""

    agreement: Part
    over: Window


class RollBackRule(StrictModel):
    """Take the label out of the traffic once at least `errors` of its last `over` requests failed."""

    errors: Part = Field(gt=0)
    over: Window


class LabelTraffic(StrictModel):
    """The parts of plain requests that a label answers, and that it answers unseen beside `stable`."""

    canary_share: Part = 0.0
    shadow_share: Part = 0.0
    promote: PromoteRule | None = None
    roll_back: RollBackRule | None = None


class LabelThresholds(StrictModel):
    """Thresholds in place of the version's own: by class, for the other classes, and for none of them."""

    classes: Mapping[str, Part] | None = None
    default: Part | None = None
    none_of_these: Part | None = None

    def verdict(self, own: Acceptance | None, index: int, label: str, probability: float) -> Verdict:
        """What becomes of a picture whose likeliest class is `index`, called `label`.

        What is not ruled here is as the version's `own` thresholds have it, or accepted where it has none.
        """
        none_below = self.none_of_these
        if none_below is None:
            none_below = own.none_below if own else 0.0
        least = (self.classes or {}).get(label, self.default)
        if least is None:
            least = own.thresholds[index] if own else 0.0
        if probability < none_below:
            return "none_of_these"
        return "accepted" if probability >= least else "below_threshold"


class LabelRules(StrictModel):
    """Everything that is ruled for one label; it stays when the label moves."""

    traffic: LabelTraffic | None = None
    thresholds: LabelThresholds | None = None
