"""Whatever goes wrong on the way of a request leaves as a problem, never as a traceback."""

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

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
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED or request.scope.get("raw_path") == b"*":
            return _other_method(request)
        return http_problem(error.status_code, _detail(request, error), dict(error.headers or {}))

    async def unforeseen(_: Request, error: Exception) -> Response:
        return problem_response(error)

    app.add_exception_handler(DvptError, known)
    app.add_exception_handler(HTTPException, framework)
    app.add_exception_handler(Exception, unforeseen)


def _other_method(request: Request) -> Response:
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
    return http_problem(HTTPStatus.METHOD_NOT_ALLOWED, detail, {"Allow": allow})


def _detail(request: Request, error: HTTPException) -> str:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return f"there is nothing at {request.url.path}; /docs lists the endpoints"
    return str(error.detail)
