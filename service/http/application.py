"""The application that uvicorn runs: FastAPI behind the service's own layers."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from service.http.handlers import AnswerError, add_problem_handlers
from service.http.request_log import RequestLog
from service.http.root_path import RootPath
from service.http.routes.lean_routes import LeanRoutes


class Application(FastAPI):
    """FastAPI that answers lean routes before its own middleware, whose layers they do not need."""

    def __init__(
        self,
        answer_error: AnswerError,
        *,
        prefix: str,
        access_log: bool,
        audited: Callable[[ASGIApp], ASGIApp],
        **options: Any,
    ) -> None:
        super().__init__(docs_url=None, redoc_url=None, **options)  # FastAPI's load scripts from elsewhere
        add_problem_handlers(self, answer_error)
        self._answer_error = answer_error
        self._prefix = prefix
        self._access_log = access_log
        self._audited = audited

    def build_middleware_stack(self) -> ASGIApp:
        """What a request passes, from the outside: log, audit trail, prefix, lean routes, FastAPI."""
        framework = super().build_middleware_stack()
        stack: ASGIApp = LeanRoutes(framework, self.routes, self._answer_error)
        if self._prefix:
            stack = RootPath(stack, self._prefix, self.routes)
        return RequestLog(self._audited(stack), access_log=self._access_log)
