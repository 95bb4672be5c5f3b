"""The shapes of all JSON that leaves the service: OpenAPI documents them, and mypy holds what builds them.

Nothing checks them again at run time: an answer that was just built needs no second look.
"""

from typing import Literal, NotRequired  # pydantic reads typing's own from Python 3.12 on

from typing_extensions import TypedDict


class ClassProbability(TypedDict):
    """One class and how likely it is."""

    index: int
    label: str
    probability: float


class Explanation(TypedDict):
    """What each part of the picture, as the model saw it, weighs in its likeliest class: 0 to 1, row by row.

    `fit` and `resize_ratio` tell which part of the picture that is, as the adapter's configuration does.
    """

    rows: int
    columns: int
    weights: list[list[float]]
    fit: Literal["squash", "crop"]
    resize_ratio: float


class Prediction(TypedDict):
    """The likeliest classes of one picture, likeliest first, and whether to act on the first.

    `accepted` is there where the version has thresholds; `reason` says why not.
    """

    classes: list[ClassProbability]
    accepted: NotRequired[bool]
    reason: NotRequired[Literal["below_threshold", "none_of_these"]]
    explanation: NotRequired[Explanation]


class TimingMs(TypedDict):
    """Where the time of a request went, in milliseconds."""

    decode_ms: float
    queue_ms: float
    inference_ms: float


class ClassifyAnswer(TypedDict):
    """The answer to a classify request; every picture was answered by this one version."""

    task: str
    version: int
    digest: str
    predictions: list[Prediction]
    timing: TimingMs


class RefusedVersion(TypedDict):
    """A version that the store has and the service refused."""

    version: int
    kind: str
    error: str
    attempts: int


class ServingVersion(TypedDict):
    """What answers for a label."""

    version: int
    digest: str


class TaskSummary(TypedDict):
    """One task in the list."""

    task: str
    versions: list[int]
    labels: dict[str, int]
    serving: dict[str, int]
    refused: list[int]
    problems: list[str]


class TaskList(TypedDict):
    """A page of the tasks the service knows; `next`: where there are more, what to ask for `after`."""

    tasks: list[TaskSummary]
    next: NotRequired[str]


class VersionDetail(TypedDict):
    """One version: where it is (`slot`, `host`, `store` or `refused`)."""

    version: int
    place: str


class Replicas(TypedDict):
    """On how many of the processes that serve this address the task is ready.

    A process is `ready` that answers for every label with the version it names; `serving` has for each label
    how many processes answer with which version. `all` counts those that are just being started as well.
    """

    all: int
    ready: int
    serving: dict[str, dict[str, int]]


class TaskDetail(TypedDict):
    """One task with what answers for it; `accuracy` on test pictures, where its card has one."""

    task: str
    labels: dict[str, int]
    versions: list[VersionDetail]
    serving: dict[str, ServingVersion]
    refused: list[RefusedVersion]
    problems: list[str]
    method: str | None
    accuracy: float | None
    layout: str | None
    classes: list[str]
    replicas: Replicas


class Health(TypedDict):
    """Whether the service lives or is ready."""

    status: str
    detail: str


class ProblemDetail(TypedDict):
    """An error, as RFC 9457 has it; `code` is stable."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    index: NotRequired[int]
    tasks: NotRequired[list[str]]
    task_count: NotRequired[int]
