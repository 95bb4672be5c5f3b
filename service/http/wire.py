"""The shapes of all JSON that leaves the service: OpenAPI documents them, and mypy holds what builds them.

Nothing checks them again at run time: an answer that was just built needs no second look. What
adapters keep in a model of theirs is told as that model, by `ModelJSONResponse`.
"""

from typing import Any, Literal, NotRequired  # pydantic reads typing's own from Python 3.12 on

from typing_extensions import TypedDict

from adapters.store.label_rules import LabelThresholds, LabelTraffic
from adapters.store.signature import SignatureState


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

    `accepted` is there where the version or its label has thresholds; `reason` says why not.
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
    """The answer to a classify request; every picture was answered by this one version.

    `label`: for which label it answered, null where the version was asked for by its number.
    """

    task: str
    version: int
    label: str | None
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
    """One version: how it stands and where it is, in the process that answers.

    `last_used` and `next_try` are ISO 8601 in UTC. `requests` counts those since it was read, answered
    or failed; that took `load_ms`; `error` and `next_try` say why it was refused and when it is tried again.
    """

    version: int
    state: Literal["loading", "ready", "refused", "draining", "evicted", "stored"]
    place: Literal["slot", "host", "store"]
    last_used: str | None
    load_ms: float | None
    requests: int
    error: str | None
    next_try: str | None


class Agreement(TypedDict):
    """Of so many pictures, the share that got from a label the class that `stable` gave; null of none."""

    share: float | None
    pictures: int


class CanaryCounts(TypedDict):
    """Requests that a label answered, seen or unseen, and those that failed for its version's own fault."""

    requests: int
    errors: int


class TrafficAnswer(TypedDict):
    """What is ruled for the traffic of a label from now on; null where nothing is."""

    task: str
    label: str
    version: int
    traffic: LabelTraffic | None


class TrafficDetail(TypedDict):
    """What is ruled for a label, and what this process has counted since that, or a version, changed."""

    rules: LabelTraffic
    agreement: Agreement
    canary: CanaryCounts


class Replicas(TypedDict):
    """On how many of the processes that serve this address the task is ready.

    A process is `ready` that answers for every label with the version it names; `serving` has for each label
    how many processes answer with which version. `all` counts those that are just being started as well.
    """

    all: int
    ready: int
    serving: dict[str, dict[str, int]]


class FeedbackCount(TypedDict):
    """Pictures whose true class was told, and of these the rightly answered."""

    answers: int
    correct: int


class TaskDetail(TypedDict):
    """One task with what answers for it; `accuracy` on test pictures, where its card has one."""

    task: str
    labels: dict[str, int]
    versions: list[VersionDetail]
    serving: dict[str, ServingVersion]
    refused: list[RefusedVersion]
    problems: list[str]
    traffic: dict[str, TrafficDetail]
    method: str | None
    accuracy: float | None
    layout: str | None
    classes: list[str]
    replicas: Replicas
    feedback: dict[str, FeedbackCount]


class FeedbackTaken(TypedDict):
    """The version that had answered, and whether rightly."""

    version: int
    correct: bool


class RuledThresholds(TypedDict):
    """A label with what is ruled for it; null where the version's own thresholds hold."""

    label: str
    version: int
    thresholds: LabelThresholds | None


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
    version: NotRequired[int | None]


class PublishedVersion(TypedDict):
    """Which version an upload is; `existed`: the same files were published before."""

    task: str
    version: int
    digest: str
    label: str | None
    existed: bool


class CardDetail(TypedDict):
    """What a version tells people: the text of its README.md and the names of its pictures."""

    text: str | None
    pictures: list[str]


class VersionPage(TypedDict):
    """One version as the store has it; `metrics` are those of its provenance."""

    task: str
    version: int
    digest: str
    labels: list[str]
    signature: SignatureState
    metrics: Any
    config: dict[str, Any]
    card: CardDetail


class VerifiedVersion(TypedDict):
    """A version whose every byte was read and checked."""

    task: str
    version: int
    ok: bool
    digest: str
    signature: SignatureState


class LabelDetail(TypedDict):
    """One label: the versions it named before, newest first, and what is ruled for it."""

    label: str
    version: int
    previous: list[int]
    traffic: LabelTraffic | None
    thresholds: LabelThresholds | None
    etag: str


class LabelList(TypedDict):
    """All labels of a task, by name."""

    labels: list[LabelDetail]


class UploadState(TypedDict):
    """How many bytes of an upload are there."""

    upload: str
    offset: int


class Refreshed(TypedDict):
    """Whether a look at everything has ended, and how many tasks there are."""

    complete: bool
    tasks: int
