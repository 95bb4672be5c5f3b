"""What the service answered, as frozen values. Fields that a later service adds are passed over."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what the service makes its answers with, a client is installed without
    from service.http import wire


@dataclass(frozen=True, slots=True)
class ClassProbability:
    """One class and how likely it is."""

    index: int
    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one picture.

    `classes` are the likeliest, likeliest first. `accepted` is None for a version without thresholds;
    `reason` says why a picture was not accepted. `label` is the label that led to the version, where the
    service says so. `request_id` and `index` name the picture in the service's log and in feedback.
    """

    task: str
    version: int
    digest: str
    classes: tuple[ClassProbability, ...]
    accepted: bool | None
    reason: str | None
    label: str | None
    request_id: str
    index: int

    @property
    def best(self) -> ClassProbability:
        """The likeliest class."""
        return self.classes[0]


@dataclass(frozen=True, slots=True)
class TaskSummary:
    """A task in the list; `serving` is which version answers for each label."""

    task: str
    versions: tuple[int, ...]
    labels: Mapping[str, int]
    serving: Mapping[str, int]
    refused: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TaskDetail:
    """A task with its classes; `ready` of `processes` behind the address answer for it."""

    task: str
    classes: tuple[str, ...]
    versions: tuple[int, ...]
    labels: Mapping[str, int]
    serving: Mapping[str, int]
    refused: tuple[int, ...]
    ready: int
    processes: int


@dataclass(frozen=True, slots=True)
class Label:
    """Where a label points, and pointed before; `etag` is for `if_match`."""

    label: str
    version: int
    previous: tuple[int, ...]
    etag: str | None


@dataclass(frozen=True, slots=True)
class Published:
    """A version that is in the store; `existed`: the same files were there before."""

    task: str
    version: int
    digest: str
    label: str | None
    existed: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """What feedback made of an answer."""

    version: int
    correct: bool


def read_answers(body: "wire.ClassifyAnswer", request_id: str) -> list[Answer]:
    """The answers of one request, in the order of its pictures."""
    more: Mapping[str, Any] = {**body}
    return [
        Answer(
            task=body["task"],
            version=body["version"],
            digest=body["digest"],
            classes=tuple(
                ClassProbability(found["index"], found["label"], found["probability"])
                for found in prediction["classes"]
            ),
            accepted=prediction.get("accepted"),
            reason=prediction.get("reason"),
            label=more.get("label"),
            request_id=request_id,
            index=index,
        )
        for index, prediction in enumerate(body["predictions"])
    ]


def read_page(body: "wire.TaskList") -> tuple[list[TaskSummary], str | None]:
    """A page of tasks, and what to ask for `after`, if there are more."""
    rows = [
        TaskSummary(row["task"], tuple(row["versions"]), row["labels"], row["serving"], tuple(row["refused"]))
        for row in body["tasks"]
    ]
    return rows, body.get("next")


def read_detail(body: "wire.TaskDetail") -> TaskDetail:
    """A task by itself."""
    return TaskDetail(
        task=body["task"],
        classes=tuple(body["classes"]),
        versions=tuple(row["version"] for row in body["versions"]),
        labels=body["labels"],
        serving={label: found["version"] for label, found in body["serving"].items()},
        refused=tuple(row["version"] for row in body["refused"]),
        ready=body["replicas"]["ready"],
        processes=body["replicas"]["all"],
    )


def read_label(body: Mapping[str, Any], etag: str | None) -> Label:
    """A label after a look or a change."""
    return Label(body["label"], body["version"], tuple(body.get("previous", ())), etag)


def read_published(body: Mapping[str, Any]) -> Published:
    """A version after it was published."""
    return Published(body["task"], body["version"], body["digest"], body.get("label"), body["existed"])
