"""JSON bytes → strict models, with one-line errors that name the field."""

from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, from_json

from adapters.config import FORMAT_VERSION, MAY_BE_ABSENT
from adapters.errors import ArtifactFormat

Model = TypeVar("Model", bound=BaseModel)


def parse_json(model: type[Model], data: bytes, name: str) -> Model:
    """Parse the file called `name`.

    Raises ArtifactFormat for bytes that are no JSON object, a newer format, unknown or missing keys and
    wrong values.
    """
    try:
        content: Any = from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise ArtifactFormat(f"{name} is not readable JSON: {error}") from error
    if not isinstance(content, dict):
        raise ArtifactFormat(f"{name} holds a JSON {type(content).__name__}, not an object")
    version = content.get("format_version")
    if type(version) is not int:
        raise ArtifactFormat(f"{name}: 'format_version': must be a whole number, got {version!r:.80}")
    if version > FORMAT_VERSION:
        raise ArtifactFormat(
            f"{name} has format version {version}; this release reads up to {FORMAT_VERSION}, "
            "so it was written by a newer one"
        )
    try:
        parsed = model.model_validate_json(data, strict=True)
    except ValidationError as error:
        raise ArtifactFormat(f"{name}: {first_error(error)}") from error
    for key in _left_out(parsed):
        # A default may change between releases; what a file means may not.
        raise ArtifactFormat(f"{name}: key '{key}' is missing")
    return parsed


def first_error(error: ValidationError) -> str:
    """The first thing pydantic found wrong, in one line, and how many more there are."""
    details = error.errors()
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return _one_line(details[0]) + more


def _one_line(detail: ErrorDetails) -> str:
    field = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return f"unknown key '{field}'"
    if detail["type"] == "missing":
        return f"key '{field}' is missing"
    message = detail["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if isinstance(detail["input"], str | int | float | bool | None):
        message += f", got {detail['input']!r:.80}"
    return f"'{field}': {message}" if field else message


def _left_out(model: BaseModel) -> Iterator[str]:
    """The keys, with dots between levels, that took their default."""
    for name, field in type(model).model_fields.items():
        value, extra = getattr(model, name), field.json_schema_extra
        if name not in model.model_fields_set:
            if not (isinstance(extra, dict) and extra.get(MAY_BE_ABSENT)):
                yield name
        elif isinstance(value, BaseModel):
            yield from (f"{name}.{key}" for key in _left_out(value))
