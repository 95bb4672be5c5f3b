"""Errors as `application/problem+json` (RFC 9457)."""

import math
from collections.abc import Collection
from http import HTTPStatus
from itertools import islice

from starlette.responses import JSONResponse

from adapters import errors as domain
from service import errors
from service.http.problems import INTERNAL, Problem, problem_of
from service.http.wire import ProblemDetail

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5
CHALLENGE = 'Bearer realm="dvpt"'
MAX_LISTED_TASKS = 100


class ProblemResponse(JSONResponse):
    """The response that carries a problem."""

    media_type = MEDIA_TYPE

    def __init__(self, body: ProblemDetail, headers: dict[str, str]) -> None:
        super().__init__(body, body["status"], headers)
        self.problem, self.given_headers = body, headers
        self.code = body["code"]


def problem_response(
    error: BaseException, tasks: Collection[str] | None = None, *, request_id: str
) -> ProblemResponse:
    """An error as the client sees it; faults outside the table say nothing of their cause.

    `tasks` are those the service has, by name, told with a 404 of a task.
    """
    problem = problem_of(error)
    body = _body(problem, "the fault was logged" if problem is INTERNAL else str(error), request_id)
    if isinstance(error, errors.PictureRefused):
        body["index"] = error.index
    if isinstance(error, domain.LabelMoved):
        body["version"] = error.version
    if isinstance(error, domain.TaskNotFound) and tasks is not None:
        body["tasks"] = list(islice(tasks, MAX_LISTED_TASKS))
        body["task_count"] = len(tasks)
    return ProblemResponse(body, problem_headers(error, problem.status))


def http_problem(
    status: int, detail: str, headers: dict[str, str] | None = None, *, request_id: str
) -> ProblemResponse:
    """A problem that the web framework found: an unknown path, a method that a path does not have."""
    phrase = HTTPStatus(status).phrase
    problem = Problem(status, phrase.lower().replace(" ", "_").replace("-", "_"), phrase)
    return ProblemResponse(_body(problem, detail, request_id), headers or {})


def problem_headers(error: BaseException, status: int) -> dict[str, str]:
    """When to try again, which codings are read instead, which keys are asked for."""
    if isinstance(error, errors.UnreadMediaType) and error.codings is not None:
        return {"Accept-Encoding": error.codings}  # RFC 9110, 12.5.3 and 15.5.16
    if isinstance(error, errors.Unauthenticated):  # RFC 6750, 3
        return {
            "WWW-Authenticate": CHALLENGE if error.known is None else f'{CHALLENGE}, error="invalid_token"'
        }
    if isinstance(error, errors.NotAllowed):
        return {"WWW-Authenticate": f'{CHALLENGE}, error="insufficient_scope"'}
    if isinstance(error, domain.LabelMoved | errors.UploadConflict):
        return _present_state(error)
    if isinstance(error, errors.Overloaded):
        return {"Retry-After": str(max(1, math.ceil(error.retry_after_s)))}
    return {"Retry-After": str(RETRY_AFTER_S)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}


def _present_state(error: domain.LabelMoved | errors.UploadConflict) -> dict[str, str]:
    if isinstance(error, domain.LabelMoved):
        return {"ETag": f'"{error.etag}"'} if error.etag else {}
    return {} if error.offset is None else {"Upload-Offset": str(error.offset)}


def _body(problem: Problem, detail: str, request_id: str) -> ProblemDetail:
    return {
        "type": f"urn:dvpt:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "code": problem.code,
        "detail": detail,
        "request_id": request_id,
    }
