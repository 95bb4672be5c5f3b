"""When an answer is worth acting on: thresholds that were measured where the truth was known."""

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, model_validator

from adapters.config import MAY_BE_ABSENT, StrictModel

Part = Annotated[float, Field(ge=0, le=1)]
Verdict = Literal["accepted", "below_threshold", "none_of_these"]


class Acceptance(StrictModel):
    """Thresholds of one version, from its answers to `pictures` that were not trained on.

    A picture is accepted as its likeliest class c where that one's probability is at least `none_below` and
    `thresholds[c]`; the latter aim at `precision`, the part of accepted pictures of c that are right, and are
    1 where no threshold reaches it. Of the pictures, all of known classes, `accepted` were accepted,
    `accepted_precision` of these rightly, and `false_alarms` were below `none_below`. `predicted` counts for
    each class the pictures whose likeliest class it was.
    """

    thresholds: tuple[Part, ...]
    none_below: Part
    precision: Part
    pictures: int = Field(ge=1)
    accepted: Part
    accepted_precision: Part | None
    false_alarms: Part
    predicted: tuple[NonNegativeInt, ...] | None = Field(
        default=None, exclude_if=lambda given: given is None, json_schema_extra={MAY_BE_ABSENT: True}
    )

    @model_validator(mode="after")
    def _every_picture_is_predicted_once(self) -> Self:
        given = self.predicted
        if given is not None and (len(given), sum(given)) != (len(self.thresholds), self.pictures):
            raise ValueError(
                f"predicted counts {self.pictures} pictures in {len(self.thresholds)} classes, "
                f"not {sum(given)} in {len(given)}"
            )
        return self

    def verdict(self, index: int, probability: float) -> Verdict:
        """What becomes of a picture whose likeliest class is `index`, with that probability."""
        if probability < self.none_below:
            return "none_of_these"
        return "accepted" if probability >= self.thresholds[index] else "below_threshold"
