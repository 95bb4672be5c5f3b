"""Whatever goes wrong on the way of a request leaves as a problem, never as a traceback."""

import logging

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from adapters.errors import DvptError
from service.logs import log_event
from service.problems import INTERNAL, http_problem, problem_of, problem_response
from service.registry import Registry

logger = logging.getLogger("service.http")


def add_problem_handlers(app: FastAPI, registry: Registry) -> None:
    """Answer every exception of an endpoint, and of the framework itself, by the one table."""

    async def known(_: Request, error: Exception) -> Response:
        if problem_of(error) is INTERNAL:
            logger.error("an error outside the table of problems", exc_info=error)
        elif isinstance(error.__cause__, Exception) and problem_of(error).status >= 500:
            log_event(logger, logging.ERROR, "request_failed", error=error, cause=repr(error.__cause__))
        return problem_response(error, sorted(registry.states))

    async def framework(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            return problem_response(error)
        detail = f"{request.method} {request.url.path}: {error.detail}"
        return http_problem(error.status_code, detail, dict(error.headers or {}))

    async def unforeseen(_: Request, error: Exception) -> Response:
        return problem_response(error)

    app.add_exception_handler(DvptError, known)
    app.add_exception_handler(HTTPException, framework)
    app.add_exception_handler(Exception, unforeseen)
