"""Whole tasks in the store: deleted, and looked at anew."""

from fastapi import FastAPI, Request, Response
from starlette.responses import JSONResponse

from adapters import errors as domain
from service import errors
from service.access.scope import Scope
from service.http.describe import summarize
from service.http.guard import Guard
from service.http.openapi import GONE, TASK_PARAMETER, flag_parameter, problem_responses
from service.http.request.management_query import no_query, parse_flag
from service.http.request_log import note_of
from service.http.routes.lean import add_route
from service.http.wire import Refreshed, TaskSummary
from service.residents.registry import Registry
from service.residents.store_work import StoreWork

TASK_ERRORS = (
    errors.BadQuery,
    domain.InvalidName,
    domain.TaskNotFound,
    domain.StoreConflict,
    domain.StoreReadOnly,
    errors.StoreSlow,
    domain.StoreError,
    errors.Starting,
    errors.Draining,
)


def add_store_task_routes(app: FastAPI, guard: Guard, work: StoreWork, registry: Registry) -> None:
    """Add `DELETE /v1/tasks/{task}`, `/v1/tasks/{task}/refresh` and `/v1/refresh`."""

    async def delete_task(request: Request) -> Response:
        """Delete every version of a task; with `force` also where it has labels, which go with it."""
        force = parse_flag(request.scope["query_string"], "force")
        task = request.path_params["task"]
        note_of(request.scope).facts["force"] = force
        await work.change(task, lambda store: store.delete_task(task, force=force))
        return Response(status_code=204)

    async def refresh_task(request: Request) -> Response:
        """Look at a task in the store now, whether or not anything announced a change."""
        no_query(request.scope["query_string"])
        task = request.path_params["task"]
        await work.refresh(task)
        return JSONResponse(summarize(registry.state(task)))

    async def refresh(request: Request) -> Response:
        """Look at the whole store now; 202 where that takes longer and goes on."""
        no_query(request.scope["query_string"])
        complete = await work.refresh_all()
        answer: Refreshed = {"complete": complete, "tasks": len(registry.tasks)}
        return JSONResponse(answer, 200 if complete else 202)

    add_route(
        app, guard, "DELETE", "/v1/tasks/{task}", delete_task,
        needs=Scope.ADMIN,
        responses=problem_responses(*TASK_ERRORS) | GONE,
        openapi_extra={"parameters": [TASK_PARAMETER, flag_parameter("force", "labels go with it")]},
        tags=["tasks"],
    )  # fmt: skip
    add_route(
        app, guard, "POST", "/v1/tasks/{task}/refresh", refresh_task,
        needs=Scope.ADMIN,
        response_model=TaskSummary,
        responses=problem_responses(*TASK_ERRORS),
        openapi_extra={"parameters": [TASK_PARAMETER]},
        tags=["tasks"],
    )  # fmt: skip
    add_route(
        app, guard, "POST", "/v1/refresh", refresh,
        needs=Scope.ADMIN,
        response_model=Refreshed,
        responses=problem_responses(errors.BadQuery, errors.Starting, errors.Draining)
        | {202: {"model": Refreshed, "description": "it goes on"}},
        tags=["tasks"],
    )  # fmt: skip
