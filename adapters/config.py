"""What is written in `backbone.json`, and how an adapter's pictures are fitted to it."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, StringConstraints

FORMAT_VERSION: Final = 1
STABLE = "stable"
PIN_LABEL = "pinned"
"""A task with this label stays in the memory of every service."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Channels = tuple[float, float, float]


MAY_BE_ABSENT = "may_be_absent"
"""Marks a key that files of its format had not always; without it they say what its default says."""


class StrictModel(BaseModel):
    """A frozen model that refuses unknown keys and values that are not finite."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        json_schema_serialization_defaults_required=True,  # of what is dumped
    )


class BackboneConfig(StrictModel):
    """One frozen ViT, as `backbone.json` names it.

    `sha256` covers the float32 weights without classifier, before any position resampling.
    """

    format_version: Literal[1] = FORMAT_VERSION
    name: str
    revision: str | None = None
    sha256: Sha256
    image_size: PositiveInt
    patch_size: PositiveInt
    width: PositiveInt
    depth: PositiveInt
    mean: Channels
    std: Channels


class PreprocessConfig(StrictModel):
    """How a picture is fitted to the backbone's square input.

    `squash` resizes both sides; `crop` resizes the short side to `resize_ratio` times the input size
    and cuts the centre.
    """

    fit: Literal["squash", "crop"] = "squash"
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
    resize_ratio: float = Field(default=1.143, ge=1.0, le=4.0)
