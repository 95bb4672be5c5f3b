"""Wire types: what OpenAPI documents. Answers are built without validating them a second time."""

from typing import Any

from pydantic import BaseModel

from adapters.errors import DvptError
from service.http.problems import MEDIA_TYPE, PROBLEMS


class ClassProbability(BaseModel):
    """One class and how likely it is."""

    index: int
    label: str
    probability: float


class Prediction(BaseModel):
    """The likeliest classes of one picture, likeliest first."""

    classes: list[ClassProbability]


class TimingMs(BaseModel):
    """Where the time of a request went, in milliseconds."""

    decode_ms: float
    queue_ms: float
    inference_ms: float


class ClassifyAnswer(BaseModel):
    """The answer to a classify request; every picture was answered by this one version."""

    task: str
    version: int
    digest: str
    predictions: list[Prediction]
    timing: TimingMs


class RefusedVersion(BaseModel):
    """A version that the store has and the service refused."""

    version: int
    kind: str
    error: str
    attempts: int


class Route(BaseModel):
    """What answers for a label."""

    version: int
    digest: str


class TaskSummary(BaseModel):
    """One task in the list."""

    task: str
    versions: list[int]
    labels: dict[str, int]
    serving: dict[str, int]
    refused: list[int]
    problems: list[str]


class TaskList(BaseModel):
    """Every task the service knows."""

    tasks: list[TaskSummary]


class VersionDetail(BaseModel):
    """One version: where it is (`slot`, `host`, `store` or `refused`)."""

    version: int
    place: str


class TaskDetail(BaseModel):
    """One task with what answers for it."""

    task: str
    labels: dict[str, int]
    versions: list[VersionDetail]
    serving: dict[str, Route]
    refused: list[RefusedVersion]
    problems: list[str]
    method: str | None
    layout: str | None
    classes: list[str]


class Health(BaseModel):
    """Whether the service lives or is ready."""

    status: str
    detail: str


class ProblemDetail(BaseModel):
    """An error, as RFC 9457 has it; `code` is stable."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    index: int | None = None
    tasks: list[str] | None = None
    task_count: int | None = None


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


def _parameter(name: str, text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": text, "schema": schema}


CLASSIFY_PARAMETERS: list[dict[str, Any]] = [
    {"name": "task", "in": "path", "required": True, "schema": {"type": "string"}},
    _parameter("top_k", "how many classes per picture", {"type": "integer", "minimum": 1, "default": 5}),
    _parameter("version", "a version instead of a label", {"type": "integer", "minimum": 1}),
    _parameter("label", "a label instead of stable", {"type": "string", "default": "stable"}),
    _parameter("timeout_ms", "how long the answer may take", {"type": "integer", "minimum": 1}),
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
