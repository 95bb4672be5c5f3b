"""What is written in `backbone.json` and in the strict part of `adapter_config.json`."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, StringConstraints, model_validator

FORMAT_VERSION: Final = 1
STABLE = "stable"

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Channels = tuple[float, float, float]


class StrictModel(BaseModel):
    """A frozen model that refuses unknown keys and values that are not finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


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


class PromptConfig(StrictModel):
    """The prompts and the Meta-Net of one adapter (paper, equations 7 and 8).

    `count` is P. `deep` gives every layer prompts of its own; shallow prompts are carried on.
    `meta_net` says what the dynamic prompt π is: none (VPT), one row shared by all prompts, or one
    row for each. `dynamic_layers` says where π is added. `meta_input` is the mean of the patch tokens,
    or every token with the mean taken after the Meta-Net. `meta_hidden` of 0 means D / 16.
    """

    count: int = Field(default=10, ge=0, le=1000)
    deep: bool = True
    meta_net: Literal["none", "shared", "specific"] = "shared"
    meta_layers: int = Field(default=4, ge=2, le=16)
    meta_hidden: int = Field(default=0, ge=0, le=8192)
    meta_input: Literal["mean", "token"] = "mean"
    meta_norm: bool = False
    dynamic_layers: Literal["first", "all"] = "first"

    @model_validator(mode="after")
    def _prompts_for_the_meta_net(self) -> Self:
        if self.count == 0 and self.meta_net != "none":
            raise ValueError("meta_net needs prompts: set count to at least 1, or meta_net to 'none'")
        return self


class PreprocessConfig(StrictModel):
    """How a picture is fitted to the backbone's square input.

    `squash` resizes both sides; `crop` resizes the short side to `resize_ratio` times the input size
    and cuts the centre.
    """

    fit: Literal["squash", "crop"] = "squash"
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
    resize_ratio: float = Field(default=1.143, ge=1.0, le=4.0)


class AdapterConfig(StrictModel):
    """`adapter_config.json`: everything inference needs, and a free block of provenance.

    `head_layers` counts the linear maps of the head (1 = linear, k = Mlp-k with ReLU between).
    `tensors_sha256` covers the bytes of `adapter_model.safetensors`.
    """

    format_version: Literal[1] = FORMAT_VERSION
    method: Literal["dvpt", "vpt", "linear", "mlp"]
    prompts: PromptConfig
    head_layers: int = Field(default=1, ge=1, le=8)
    preprocess: PreprocessConfig = PreprocessConfig()
    classes: tuple[str, ...] = Field(min_length=1, max_length=65536)
    backbone_sha256: Sha256
    tensors_sha256: Sha256
    provenance: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _classes_are_distinct(self) -> Self:
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("classes must be distinct")
        if not all(name.strip() for name in self.classes):
            raise ValueError("classes must not be blank")
        return self
