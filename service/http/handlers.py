"""Whatever goes wrong on the way of a request leaves as a problem, never as a traceback."""

from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

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
        headers = dict(error.headers or {})
        detail = _detail(request, error, headers)
        problem = http_problem(error.status_code, detail, headers, request_id=note.request_id)
        return _noted(note, error, problem)

    app.add_exception_handler(DvptError, known)
    app.add_exception_handler(HTTPException, framework)


def _noted(note: Note, error: Exception, response: ProblemResponse) -> Response:
    note.code, note.error = response.code, error
    return response


def _detail(request: Request, error: HTTPException, headers: dict[str, str]) -> str:
    path = request.url.path
    if error.status_code == HTTPStatus.NOT_FOUND:
        return f"there is nothing at {path}; /docs lists the endpoints"
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"{path} does not take {request.method}; it takes {headers.get('Allow', 'something else')}"
    return str(error.detail)
