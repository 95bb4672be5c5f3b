"""What is written in `adapter_config.json`."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    SerializeAsAny,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import to_json

from adapters.config import FORMAT_VERSION, MAY_BE_ABSENT, PreprocessConfig, Sha256, StrictModel
from adapters.kinds.acceptance import Acceptance
from adapters.kinds.options import KindOptions
from adapters.kinds.table import kind_named, kind_of


def _of_its_kind(value: Any, info: ValidationInfo) -> Any:
    """Read options by the model of the kind that they name, as strictly as the rest of the file."""
    if not isinstance(value, dict) or "kind" not in value:
        return value
    model = kind_named(value["kind"]).options
    if info.mode == "json":
        return model.model_validate_json(to_json(value), strict=True)
    return model.model_validate(value)


AnyOptions = Annotated[SerializeAsAny[KindOptions], BeforeValidator(_of_its_kind)]
"""The options of any kind in the table: a union discriminated by `kind`."""


class AdapterConfig(StrictModel):
    """`adapter_config.json`: everything inference needs, and a free block of provenance.

    `method` is how it was trained. `head_layers` counts the linear maps of the head (1 = linear, k = Mlp-k
    with ReLU between). `tensors_sha256` covers the bytes of `adapter_model.safetensors`.
    """

    format_version: Literal[1] = FORMAT_VERSION
    options: AnyOptions
    method: str
    head_layers: int = Field(default=1, ge=1, le=8)
    preprocess: PreprocessConfig = PreprocessConfig()
    classes: tuple[str, ...] = Field(min_length=1, max_length=65536)
    backbone_sha256: Sha256
    tensors_sha256: Sha256
    acceptance: Acceptance | None = Field(
        default=None, exclude_if=lambda given: given is None, json_schema_extra={MAY_BE_ABSENT: True}
    )
    provenance: dict[str, Any] = Field(default_factory=dict)

    @field_validator("method")
    @classmethod
    def _method_makes_such_adapters(cls, method: str, info: ValidationInfo) -> str:
        options = info.data.get("options")  # absent where they are wrong themselves
        if options is not None and method not in (methods := kind_of(options).methods):
            raise ValueError(f"an adapter of kind {options.kind} is made by method {' or '.join(methods)}")
        return method

    @model_validator(mode="after")
    def _every_class_has_a_threshold(self) -> Self:
        given = self.acceptance
        if given is not None and len(given.thresholds) != len(self.classes):
            raise ValueError(
                f"{len(self.classes)} classes need as many thresholds, not {len(given.thresholds)}"
            )
        return self

    @model_validator(mode="after")
    def _classes_are_distinct(self) -> Self:
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("classes must be distinct")
        if not all(name.strip() for name in self.classes):
            raise ValueError("classes must not be blank")
        return self
