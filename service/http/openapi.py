"""The parts of OpenAPI that FastAPI does not find by itself."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from service.http.wire import ProblemDetail


def complete_openapi(app: FastAPI) -> None:
    """Add the schema of a problem, which every endpoint's error responses refer to."""
    describe: Callable[[], dict[str, Any]] = app.openapi

    def openapi() -> dict[str, Any]:
        schema = describe()
        components = schema.setdefault("components", {}).setdefault("schemas", {})
        components["ProblemDetail"] = ProblemDetail.model_json_schema()
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way
