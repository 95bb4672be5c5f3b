"""Whatever goes wrong on the way of a request leaves as a problem, never as a traceback."""

from collections.abc import Callable, Collection
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from adapters.errors import DvptError, TaskNotFound
from service.http.key_guard import may_see_all
from service.http.problem_json import ProblemResponse, http_problem, problem_response
from service.http.protocol_v2.errors import as_clients_read_it
from service.http.request_log import Note, note_of
from service.residents.registry import Registry

ANSWERED = (DvptError, HTTPException)
"""What an endpoint raises to be answered; anything else is a fault, which RequestLog answers."""
AnswerError = Callable[[Request, Exception], Response]


def add_problem_handlers(app: FastAPI, answer: AnswerError) -> None:
    """Let the framework answer the errors of endpoints, and its own, as `answer` does."""

    async def handle(request: Request, error: Exception) -> Response:
        return answer(request, error)

    for kind in ANSWERED:
        app.add_exception_handler(kind, handle)


def problem_answers(registry: Registry) -> AnswerError:
    """Answers each error by the one table, and notes it for the log."""

    def answer(request: Request, error: Exception) -> Response:
        answered = problem(request, error)
        if isinstance(answered, ProblemResponse):
            return as_clients_read_it(request.scope, answered)
        return answered

    def problem(request: Request, error: Exception) -> Response:
        note = note_of(request.scope)
        if not isinstance(error, HTTPException):
            tasks = _visible(request, registry) if isinstance(error, TaskNotFound) else None
            return _noted(note, error, problem_response(error, tasks, request_id=note.request_id))
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED or request.scope.get("raw_path") == b"*":
            return _other_method(request, note, error)
        headers, detail = dict(error.headers or {}), _detail(request, error)
        return _noted(
            note, error, http_problem(error.status_code, detail, headers, request_id=note.request_id)
        )

    return answer


def _visible(request: Request, registry: Registry) -> Collection[str] | None:
    """Every task's name, for one who may see them all."""
    return registry.tasks if may_see_all(request.scope) else None


def _noted(note: Note, error: Exception, response: ProblemResponse) -> Response:
    note.code, note.error = response.code, error
    return response


def _other_method(request: Request, note: Note, error: Exception) -> Response:
    """What a path takes: asked with OPTIONS, or told to whoever tried something else."""
    methods = {"OPTIONS"}
    for route in request.app.routes:  # the framework tells those of the first only
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    allow = ", ".join(sorted(methods))
    if request.method == "OPTIONS":
        return Response(status_code=HTTPStatus.NO_CONTENT, headers={"Allow": allow})
    path = request.url.path
    detail = f"{path} does not take {request.method}; it takes {allow}"
    problem = http_problem(
        HTTPStatus.METHOD_NOT_ALLOWED, detail, {"Allow": allow}, request_id=note.request_id
    )
    return _noted(note, error, problem)


def _detail(request: Request, error: HTTPException) -> str:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return f"there is nothing at {request.url.path}; /docs lists the endpoints"
    return str(error.detail)
