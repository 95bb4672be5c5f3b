"""JSON of answers that have models of the adapters' in them."""

from typing import Any

from pydantic_core import to_json
from starlette.responses import JSONResponse


class ModelJSONResponse(JSONResponse):
    """JSON whose parts may be pydantic's models and dataclasses, as they are."""

    def render(self, content: Any) -> bytes:
        """The content as JSON."""
        return to_json(content)
