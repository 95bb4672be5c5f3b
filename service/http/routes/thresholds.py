"""Thresholds of a label, set and taken away while it answers."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from fastapi import FastAPI, Request, Response
from starlette.responses import JSONResponse

from adapters import errors as domain
from adapters.store.label_rules import LabelThresholds
from adapters.store.label_thresholds import rule_thresholds
from adapters.store.labels import LabelFile
from adapters.store.store import Store
from service import errors
from service.access.scope import Scope
from service.audit import Audit
from service.http.guard import Guard
from service.http.openapi import LABEL_PARAMETER, TASK_PARAMETER, json_body, problem_responses
from service.http.problems import problem_of
from service.http.request.json_model import read_model
from service.http.request_log import note_of
from service.http.routes.lean import add_route
from service.http.wire import RuledThresholds, Thresholds
from service.metrics import Metrics
from service.residents.storage_threads import read_store

WITHIN_S = 30.0
PATH = "/v1/tasks/{task}/labels/{label}/thresholds"
ERRORS = (
    domain.InvalidName,
    domain.TaskNotFound,
    domain.LabelNotFound,
    domain.ClassNotFound,
    domain.ArtifactError,
    domain.StoreError,
)
BODY_ERRORS = (errors.BadBody, errors.RequestTooLarge, errors.UploadTooSlow)


@dataclass(frozen=True)
class LabelChanges:
    """Where labels are changed: in the store, on threads that it may hold, and told to the audit.

    `look_at` lets this process see what became of a task.
    """

    store: Store
    threads: Executor
    metrics: Metrics
    audit: Audit
    look_at: Callable[[str], Awaitable[None]]

    async def rule(self, request: Request, thresholds: LabelThresholds | None) -> Response:
        """Rule the thresholds of the label that the request's path names."""
        task, label = request.path_params["task"], request.path_params["label"]
        who = note_of(request.scope).key or "insecure"

        def ruled() -> LabelFile:
            facts = {"label": label, "thresholds": thresholds.model_dump() if thresholds else None}
            try:
                file = rule_thresholds(self.store, task, label, thresholds)
            except (domain.DvptError, OSError) as error:
                self.audit(who, "thresholds", task, problem_of(_told(error)).code, **facts)
                raise _told(error) from error
            self.audit(who, "thresholds", task, "done", **facts)
            return file

        try:
            async with asyncio.timeout(WITHIN_S):
                file = await read_store(self.threads, self.metrics, "thresholds", ruled)
                await self.look_at(task)
        except TimeoutError as error:
            raise domain.StoreError(
                f"the store did not answer within {WITHIN_S:.0f} s; it may take the change later"
            ) from error
        return JSONResponse(_ruled(label, file))


def add_threshold_routes(app: FastAPI, guard: Guard, changes: LabelChanges) -> None:
    """Add `PUT` and `DELETE` of a label's thresholds."""

    async def put(request: Request) -> Response:
        """Accept answers by this label from these probabilities on, instead of the version's own."""
        return await changes.rule(request, await read_model(request, LabelThresholds))

    async def delete(request: Request) -> Response:
        """Let the version's own thresholds hold again."""
        return await changes.rule(request, None)

    add_route(
        app,
        guard,
        "PUT",
        PATH,
        put,
        needs=Scope.ADMIN,
        response_model=RuledThresholds,
        responses=problem_responses(*ERRORS, *BODY_ERRORS),
        openapi_extra={**json_body(LabelThresholds), "parameters": [TASK_PARAMETER, LABEL_PARAMETER]},
        tags=["labels"],
    )
    add_route(
        app,
        guard,
        "DELETE",
        PATH,
        delete,
        needs=Scope.ADMIN,
        response_model=RuledThresholds,
        responses=problem_responses(*ERRORS),
        openapi_extra={"parameters": [TASK_PARAMETER, LABEL_PARAMETER]},
        tags=["labels"],
    )


def _ruled(label: str, file: LabelFile) -> RuledThresholds:
    now = file.rules.thresholds if file.rules else None
    return {"label": label, "version": file.version, "thresholds": _shown(now) if now else None}


def _shown(thresholds: LabelThresholds) -> Thresholds:
    return {
        "classes": dict(thresholds.classes) if thresholds.classes else None,
        "default": thresholds.default,
        "none_of_these": thresholds.none_of_these,
    }


def _told(error: Exception) -> domain.DvptError:
    """What cannot be written, in our own terms."""
    if isinstance(error, domain.DvptError):
        return error
    reason = error.strerror if isinstance(error, OSError) else None
    return domain.StoreError(f"the store cannot be written: {reason or error}")
