"""When an answer is worth acting on: thresholds that were measured where the truth was known."""

from typing import Annotated, Literal

from pydantic import Field

from adapters.config import StrictModel

Part = Annotated[float, Field(ge=0, le=1)]
Verdict = Literal["accepted", "below_threshold", "none_of_these"]


class Acceptance(StrictModel):
    """Thresholds of one version, from its answers to `pictures` that were not trained on.

    A picture is accepted as its likeliest class c where that one's probability is at least `none_below` and
    `thresholds[c]`; the latter aim at `precision`, the part of accepted pictures of c that are right, and are
    1 where no threshold reaches it. Of the pictures, all of known classes, `accepted` were accepted,
    `accepted_precision` of these rightly, and `false_alarms` were below `none_below`.
    """

    thresholds: tuple[Part, ...]
    none_below: Part
    precision: Part
    pictures: int = Field(ge=1)
    accepted: Part
    accepted_precision: Part | None
    false_alarms: Part

    def verdict(self, index: int, probability: float) -> Verdict:
        """What becomes of a picture whose likeliest class is `index`, with that probability."""
        if probability < self.none_below:
            return "none_of_these"
        return "accepted" if probability >= self.thresholds[index] else "below_threshold"
