"""The traffic of a label: ruled and taken away."""

import asyncio
from concurrent.futures import Executor
from functools import partial
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.responses import JSONResponse

from adapters import errors as domain
from adapters.errors import DvptError, StoreError
from adapters.store.label_rules import LabelTraffic
from adapters.store.store import Store
from adapters.store.traffic_rules import set_traffic
from service import errors
from service.access.scope import Scope
from service.audit import Audit
from service.http.describe import traffic_body
from service.http.guard import Guard
from service.http.openapi import LABEL_PARAMETER, TASK_PARAMETER, problem_responses
from service.http.problems import code_of
from service.http.request.small_json import read_model
from service.http.request_log import note_of
from service.http.routes.lean import add_route
from service.http.wire import TrafficAnswer

PATH = "/v1/tasks/{task}/labels/{label}/traffic"
TRAFFIC_ERRORS = (
    domain.InvalidName,
    domain.ConfigError,
    domain.TaskNotFound,
    domain.LabelNotFound,
    domain.StoreConflict,
    domain.ArtifactError,
    domain.StoreError,
)
SHARE: dict[str, Any] = {"type": "number", "minimum": 0, "maximum": 1, "default": 0}


def _rule(part: str) -> dict[str, Any]:
    over = {"type": "integer", "minimum": 1, "maximum": 1_000_000}
    properties = {part: {"type": "number", "minimum": 0, "maximum": 1}, "over": over}
    return {
        "type": ["object", "null"],
        "required": [part, "over"],
        "additionalProperties": False,
        "properties": properties,
    }


BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "canary_share": SHARE,
                        "shadow_share": SHARE,
                        "promote": _rule("agreement"),
                        "roll_back": _rule("errors"),
                    },
                }
            }
        },
    }
}


def add_traffic_routes(app: FastAPI, guard: Guard, store: Store, loader: Executor, audit: Audit) -> None:
    """Add `PUT` and `DELETE` of a label's traffic; `loader` reads and writes the store."""

    async def change(request: Request, traffic: LabelTraffic | None) -> Response:
        task, label = request.path_params["task"], request.path_params["label"]
        who = note_of(request.scope).key or "insecure"
        rules = None if traffic is None else traffic_body(traffic)

        def ruled() -> TrafficAnswer:
            told = partial(audit, who, "set_traffic", task)
            try:
                file = set_traffic(store, task, label, traffic)
            except OSError as error:
                told("store_unavailable", label=label, traffic=rules)
                raise StoreError(f"the label cannot be written: {error.strerror or error}") from error
            except DvptError as error:
                told(code_of(error), label=label, traffic=rules)
                raise
            told("done", label=label, version=file.version, traffic=rules)
            return {"task": task, "label": label, "version": file.version, "traffic": rules}

        return JSONResponse(await asyncio.get_running_loop().run_in_executor(loader, ruled))

    async def put_traffic(request: Request) -> Response:
        """Rule which part of a task's plain requests a label answers, seen or unseen, and what follows."""
        return await change(request, await read_model(request, LabelTraffic))

    async def delete_traffic(request: Request) -> Response:
        """Let `stable` answer all plain requests again."""
        return await change(request, None)

    body_errors = (errors.BadBody, errors.RequestTooLarge, errors.UploadTooSlow)
    parameters = {"parameters": [TASK_PARAMETER, LABEL_PARAMETER]}
    add_route(
        app,
        guard,
        "PUT",
        PATH,
        put_traffic,
        needs=Scope.ADMIN,
        response_model=TrafficAnswer,
        responses=problem_responses(*body_errors, *TRAFFIC_ERRORS),
        openapi_extra={**BODY, **parameters},
        tags=["labels"],
    )
    add_route(
        app,
        guard,
        "DELETE",
        PATH,
        delete_traffic,
        needs=Scope.ADMIN,
        response_model=TrafficAnswer,
        responses=problem_responses(*TRAFFIC_ERRORS),
        openapi_extra=parameters,
        tags=["labels"],
    )
