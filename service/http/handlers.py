"""Whatever goes wrong on the way of a request leaves as a problem, never as a traceback."""

from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from adapters.errors import DvptError
from service.http.problem_json import ProblemResponse, http_problem, problem_response
from service.http.request_log import Note, note_of
from service.residents.registry import Registry


def add_problem_handlers(app: FastAPI, registry: Registry) -> None:
    """Answer the errors of endpoints and of the framework by the one table; what is left is RequestLog's."""

    async def known(request: Request, error: Exception) -> Response:
        note = note_of(request.scope)
        return _noted(
            note, error, problem_response(error, sorted(registry.states), request_id=note.request_id)
        )

    async def framework(request: Request, error: Exception) -> Response:
        note = note_of(request.scope)
        if not isinstance(error, HTTPException):
            return _noted(note, error, problem_response(error, request_id=note.request_id))
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED or request.scope.get("raw_path") == b"*":
            return _other_method(request, note, error)
        headers, detail = dict(error.headers or {}), _detail(request, error)
        problem = http_problem(error.status_code, detail, headers, request_id=note.request_id)
        return _noted(note, error, problem)

    app.add_exception_handler(DvptError, known)
    app.add_exception_handler(HTTPException, framework)


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
