"""JSON of a client's → a strict model."""

from typing import TypeVar

from pydantic import ValidationError

from adapters.config import StrictModel
from adapters.store.strict_json import first_error
from service.errors import BadBody

Model = TypeVar("Model", bound=StrictModel)
MOST_TOLD = 300
"""Characters of an error, which repeats names that the client made up, at any length."""


def validated(model: type[Model], content: object) -> Model:
    """The model of what JSON said. Raises BadBody."""
    if not isinstance(content, dict):
        raise BadBody(f"the body must be a JSON object, not a {type(content).__name__}")
    try:
        return model.model_validate(content, strict=True)
    except ValidationError as error:
        told = first_error(error)[:MOST_TOLD].encode("utf-8", "backslashreplace").decode()
        raise BadBody(f"the body is malformed: {told}") from error
