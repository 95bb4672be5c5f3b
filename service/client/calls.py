"""Each request to the service as a value, with what reads its answer: the same for both clients."""

import io
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx

from service.client.answers import (
    Answer,
    Judged,
    Label,
    Published,
    TaskDetail,
    TaskSummary,
    read_answers,
    read_detail,
    read_label,
    read_page,
    read_published,
)
from service.client.errors import BY_STATUS, ClientError, PictureRefused, ProblemError
from service.client.retries import retry_after_s

Read_co = TypeVar("Read_co", covariant=True)
Query = Mapping[str, str | int]
PAGE = 1000
ANSWER_S = 30.0
DEFAULT_TIMEOUT_MS = 10_000
"""What the service takes where a request names none."""
OF_THE_STORE = "claim"
"""What a version's folder in a store has beside the artifact (docs/artifact-format.md)."""
BYTES = "application/octet-stream"
GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Call(Generic[Read_co]):
    """One request.

    `repeatable`: sent twice it does no more than sent once. `answer_s`: how long an answer may take.
    """

    method: str
    path: str
    read: Callable[[httpx.Response], Read_co]
    query: Query = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    json: Mapping[str, Any] | None = None
    repeatable: bool = True
    answer_s: float = ANSWER_S

    def answer_of(self, response: httpx.Response) -> Read_co:
        """What the service answered. Raises ProblemError, and ClientError where it is not this service's."""
        if not response.is_success:
            raise problem_of(response)
        try:
            return self.read(response)
        except (ValueError, KeyError, TypeError) as error:
            raise ClientError(f"what answered at {response.url} is no dvpt-serve") from error


@dataclass(frozen=True)
class Asked:
    """How pictures are to be answered."""

    top_k: int = 5
    version: int | None = None
    label: str | None = None
    timeout_ms: int | None = None
    abstain: bool = True

    def query(self) -> Query:
        """The query of a request; what is the service's own default is left out."""
        given = {
            "top_k": self.top_k,
            "version": self.version,
            "label": self.label,
            "timeout_ms": self.timeout_ms,
            "abstain": None if self.abstain else "off",
        }
        return {name: value for name, value in given.items() if value is not None}


def classify(task: str, pictures: Sequence[bytes], asked: Asked) -> Call[list[Answer]]:
    """Pictures as one form, whatever their number: then a refusal names one by its index."""
    parts = [("images", (str(index), data, BYTES)) for index, data in enumerate(pictures)]
    form = httpx.Request("POST", "http://form", files=parts)
    return Call(
        "POST",
        f"{_task(task)}/classify",
        lambda response: read_answers(response.json(), response.headers.get("x-request-id", "")),
        query=asked.query(),
        headers={"content-type": form.headers["content-type"]},
        content=form.read(),
        answer_s=(asked.timeout_ms or DEFAULT_TIMEOUT_MS) / 1000 + ANSWER_S,
    )


def tasks(after: str, prefix: str, search: str) -> Call[tuple[list[TaskSummary], str | None]]:
    """A page of tasks, and what to ask for `after`, if there are more."""
    given = {"after": after, "prefix": prefix, "search": search}
    return Call(
        "GET",
        "/v1/tasks",
        lambda response: read_page(response.json()),
        query={"limit": PAGE} | {name: text for name, text in given.items() if text},
    )


def task(name: str) -> Call[TaskDetail]:
    """One task."""
    return Call("GET", _task(name), lambda response: read_detail(response.json()))


def feedback(answer: Answer, label: str) -> Call[Judged]:
    """The class that a picture really has."""
    return Call(
        "POST",
        f"{_task(answer.task)}/feedback",
        lambda response: Judged(response.json()["version"], response.json()["correct"]),
        json={"request_id": answer.request_id, "index": answer.index, "label": label},
    )


def label(task: str, name: str) -> Call[Label]:
    """Where a label points."""
    return Call("GET", _label(task, name), _read_label)


def move_label(
    task: str, name: str, version: int, *, replace_classes: bool, if_match: str | None
) -> Call[Label]:
    """Point a label at a version; with `if_match` only where it is as it was then."""
    return Call(
        "PUT",
        _label(task, name),
        _read_label,
        headers={} if if_match is None else {"if-match": if_match},
        json={"version": version, "replace_classes": replace_classes},
        repeatable=if_match is None,  # the second time it would not be as it was any more
    )


def roll_back(task: str, name: str) -> Call[Label]:
    """Point a label at the version before."""
    return Call("POST", f"{_label(task, name)}/rollback", _read_label, repeatable=False)


def publish(task: str, artifact: Path, *, label: str | None, replace_classes: bool) -> Call[Published]:
    """An artifact's folder or tar as a new version; the same files twice are one version. Raises OSError."""
    content = packed(artifact)
    return Call(
        "POST",
        f"{_task(task)}/versions",
        lambda response: read_published(response.json()),
        query={"label": label or "none", "replace_classes": str(replace_classes).lower()},
        headers={"content-type": "application/gzip" if content.startswith(GZIP) else "application/x-tar"},
        content=content,
    )


def packed(artifact: Path) -> bytes:
    """A tar as it is, or a folder's files as a tar, but for hidden ones and a store's. Raises OSError."""
    if not artifact.is_dir():
        return artifact.read_bytes()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for file in sorted(artifact.iterdir()):
            if file.name != OF_THE_STORE and not file.name.startswith("."):
                tar.add(file, file.name, recursive=False)
    return buffer.getvalue()


def problem_of(response: httpx.Response) -> ProblemError:
    """The error that a response is; a proxy's page becomes one too."""
    status = response.status_code
    try:
        body = response.json()
        code, detail = str(body["code"]), str(body["detail"])
    except (ValueError, KeyError, TypeError):
        body, code, detail = {}, f"http_{status}", f"{status} {response.reason_phrase} from {response.url}"
    index = body.get("index")
    kind = BY_STATUS.get(status, ProblemError) if index is None else PictureRefused
    return kind(
        status,
        code,
        detail,
        request_id=response.headers.get("x-request-id", ""),
        index=index,
        retry_after_s=retry_after_s(response.headers.get("retry-after")),
    )


def _read_label(response: httpx.Response) -> Label:
    return read_label(response.json(), response.headers.get("etag"))


def _task(name: str) -> str:
    return f"/v1/tasks/{quote(name, safe='')}"


def _label(task: str, name: str) -> str:
    return f"{_task(task)}/labels/{quote(name, safe='')}"
