"""What tasks there are."""

from fastapi import FastAPI, Request, Response
from starlette.responses import JSONResponse

from adapters import errors as domain
from service.access.scope import Scope
from service.http.describe import detail, summarize
from service.http.guard import Guard
from service.http.key_guard import may_see
from service.http.openapi import TASK_PARAMETER, problem_responses
from service.http.routes.lean import add_route
from service.http.wire import TaskDetail, TaskList
from service.residents.registry import Registry


def add_task_routes(app: FastAPI, guard: Guard, registry: Registry) -> None:
    """Add `/v1/tasks` and the page of one task below it."""

    async def list_tasks(request: Request) -> Response:
        """Every task that the service knows and the key may use, with its versions and labels."""
        states, visible = registry.states, may_see(request.scope)
        tasks: TaskList = {"tasks": [summarize(states[task]) for task in sorted(states) if visible(task)]}
        return JSONResponse(tasks)

    async def show_task(request: Request) -> Response:
        """One task: what answers for it, its classes, and versions that were refused, with the reason."""
        return JSONResponse(detail(registry.state(request.path_params["task"])))

    add_route(
        app,
        guard,
        "GET",
        "/v1/tasks",
        list_tasks,
        needs=Scope.CLASSIFY,
        response_model=TaskList,
        tags=["tasks"],
    )
    add_route(
        app,
        guard,
        "GET",
        "/v1/tasks/{task}",
        show_task,
        needs=Scope.CLASSIFY,
        response_model=TaskDetail,
        responses=problem_responses(domain.TaskNotFound),
        openapi_extra={"parameters": [TASK_PARAMETER]},
        tags=["tasks"],
    )
