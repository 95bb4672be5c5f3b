"""Whatever goes wrong on the way of a request leaves as a problem, never as a traceback."""

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from adapters.errors import DvptError
from service.errors import InferenceFailed
from service.http.problem_json import http_problem, problem_response
from service.http.problems import INTERNAL, problem_of
from service.logs import log_event
from service.residents.registry import Registry

logger = logging.getLogger("service.http")


def add_problem_handlers(app: FastAPI, registry: Registry) -> None:
    """Answer every exception of an endpoint, and of the framework itself, by the one table."""

    async def known(_: Request, error: Exception) -> Response:
        if problem_of(error) is INTERNAL:
            logger.error("an error outside the table of problems", exc_info=error)
        elif isinstance(error, InferenceFailed) and error.__cause__ is not None:
            log_event(logger, logging.ERROR, "request_failed", error=error, cause=repr(error.__cause__))
        return problem_response(error, sorted(registry.states))

    async def framework(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            return problem_response(error)
        headers = dict(error.headers or {})
        return http_problem(error.status_code, _detail(request, error, headers), headers)

    async def unforeseen(_: Request, error: Exception) -> Response:
        return problem_response(error)

    app.add_exception_handler(DvptError, known)
    app.add_exception_handler(HTTPException, framework)
    app.add_exception_handler(Exception, unforeseen)


def _detail(request: Request, error: HTTPException, headers: dict[str, str]) -> str:
    path = request.url.path
    if error.status_code == HTTPStatus.NOT_FOUND:
        return f"there is nothing at {path}; /docs lists the endpoints"
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"{path} does not take {request.method}; it takes {headers.get('Allow', 'something else')}"
    return str(error.detail)
