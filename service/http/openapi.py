"""The parts of OpenAPI that FastAPI does not find by itself."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, TypeAdapter

from adapters.errors import DvptError
from service.access.scope import Scope
from service.errors import NotAllowed, Unauthenticated
from service.http.problem_json import MEDIA_TYPE
from service.http.problems import PROBLEMS
from service.http.request.page_query import MAX_LIMIT
from service.http.wire import ProblemDetail

COMPONENT = "#/components/schemas/{model}"
PICTURE: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
CLASSIFY_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "image/jpeg": PICTURE,
            "image/png": PICTURE,
            "image/webp": PICTURE,
            "application/octet-stream": PICTURE,
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["images"],
                    "properties": {
                        "images": {"type": "array", "items": {"type": "string", "format": "binary"}}
                    },
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["images"],
                    "additionalProperties": False,
                    "properties": {
                        "images": {"type": "array", "items": {"type": "string", "contentEncoding": "base64"}}
                    },
                }
            },
        },
    }
}


SECURITY_SCHEMES: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def _parameter(name: str, text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": text, "schema": schema}


TASK_PARAMETER: dict[str, Any] = {
    "name": "task",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
}
CLASSIFY_PARAMETERS: list[dict[str, Any]] = [
    TASK_PARAMETER,
    _parameter("top_k", "how many classes per picture", {"type": "integer", "minimum": 1, "default": 5}),
    _parameter("version", "a version instead of a label", {"type": "integer", "minimum": 1}),
    _parameter("label", "a label instead of stable", {"type": "string", "default": "stable"}),
    _parameter(
        "abstain",
        "off leaves out whether an answer is accepted",
        {"type": "string", "enum": ["on", "off"], "default": "on"},
    ),
    _parameter(
        "explain",
        "true tells which parts of the picture carried the answer, of one picture",
        {"type": "string", "enum": ["true", "false"], "default": "false"},
    ),
    _parameter("timeout_ms", "how long the answer may take", {"type": "integer", "minimum": 1}),
]

VERSION_PARAMETER: dict[str, Any] = TASK_PARAMETER | {
    "name": "version",
    "schema": {"type": "integer", "minimum": 1},
}
LABEL_PARAMETER: dict[str, Any] = TASK_PARAMETER | {"name": "label"}
UPLOAD_PARAMETER: dict[str, Any] = TASK_PARAMETER | {
    "name": "sha256",
    "schema": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
}
ETAG_PARAMETERS: list[dict[str, Any]] = [
    _parameter("If-Match", "only if the label has one of these ETags", {"type": "string"}) | {"in": "header"},
    _parameter("If-None-Match", "*: only if there is no such label", {"type": "string"}) | {"in": "header"},
]
UPLOAD_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/octet-stream": PICTURE}}
}
PUBLISH_BODY: dict[str, Any] = {
    "requestBody": {
        "required": False,
        "content": {
            "application/x-tar": PICTURE,
            "application/gzip": PICTURE,
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {"type": "array", "items": {"type": "string", "format": "binary"}}
                    },
                }
            },
        },
    }
}


def flag_parameter(name: str, text: str) -> dict[str, Any]:
    """OpenAPI's description of a switch in the query that is off by default."""
    return _parameter(name, text, {"type": "boolean", "default": False})


GONE: dict[int | str, dict[str, Any]] = {204: {"description": "it is gone"}}
REPLACE_CLASSES = flag_parameter("replace_classes", "move the label to another list of classes, too")
PUBLISH_PARAMETERS: list[dict[str, Any]] = [
    _parameter("label", "the label to move to it, or none", {"type": "string", "default": "stable"}),
    REPLACE_CLASSES,
    _parameter("upload", "the SHA-256 of an upload, instead of a body", {"type": "string"}),
]

REQUEST_KEY: dict[str, Any] = {
    "name": "X-Request-Key",
    "in": "header",
    "required": False,
    "description": "while labels share the traffic, requests of one key go to one label",
    "schema": {"type": "string"},
}

NAME_PART: dict[str, Any] = {"type": "string", "pattern": "^[a-z0-9._-]*$"}
PAGE_PARAMETERS: list[dict[str, Any]] = [
    _parameter(
        "limit",
        "how many at most",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": MAX_LIMIT},
    ),
    _parameter("after", "only tasks whose names come later", NAME_PART),
    _parameter("prefix", "only tasks whose names begin so", NAME_PART),
    _parameter("search", "only tasks with this in their names", NAME_PART),
]


def problem_responses(*kinds: type[DvptError]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's description of the problems that these errors become, by status."""
    codes: dict[int, list[str]] = {}
    for kind in kinds:
        codes.setdefault(PROBLEMS[kind].status, []).append(PROBLEMS[kind].code)
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetail"}}}
    return {
        status: {"description": f"code: {', '.join(codes[status])}", "content": content}
        for status in sorted(codes)
    }


def json_body(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """OpenAPI's description of a body of JSON; `complete_openapi` moves its `$defs` to where it refers to."""
    content = {"application/json": {"schema": model.model_json_schema(ref_template=COMPONENT)}}
    return {"requestBody": {"required": required, "content": content}}


def security_of(needs: Scope | None) -> list[dict[str, list[str]]]:
    """OpenAPI's description of a route that needs a scope: in which ways a key with it may be shown."""
    return [] if needs is None else [{name: [needs.value]} for name in SECURITY_SCHEMES]


KEY_RESPONSES = {
    str(status): response for status, response in problem_responses(Unauthenticated, NotAllowed).items()
}


def complete_openapi(app: FastAPI, *, with_keys: bool = False) -> None:
    """Add the schemas that errors and bodies refer to, and how keys are shown.

    Without keys nothing says that one is needed.
    """
    describe: Callable[[], dict[str, Any]] = app.openapi

    def openapi() -> dict[str, Any]:
        schema = describe()
        components = schema.setdefault("components", {})
        components.setdefault("schemas", {})["ProblemDetail"] = TypeAdapter(ProblemDetail).json_schema()
        operations = [each for path in schema["paths"].values() for each in path.values()]
        if with_keys:
            components["securitySchemes"] = SECURITY_SCHEMES
            schema["security"] = [{name: []} for name in SECURITY_SCHEMES]
        for operation in operations:
            for body in operation.get("requestBody", {}).get("content", {}).values():
                components["schemas"] |= body["schema"].pop("$defs", {})
            if not with_keys:
                operation.pop("security", None)
            elif operation.get("security"):
                operation["responses"] |= KEY_RESPONSES
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way
