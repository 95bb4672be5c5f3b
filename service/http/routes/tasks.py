"""What tasks there are."""

from fastapi import FastAPI, Request, Response
from starlette.responses import JSONResponse

from adapters import errors as domain
from service.http.describe import answering, detail, summarize
from service.http.guard import Guard
from service.http.openapi import TASK_PARAMETER, problem_responses
from service.http.routes.lean import add_route
from service.http.scope import Scope
from service.http.wire import TaskDetail, TaskList
from service.peers.peers import Peers, readiness
from service.residents.registry import Registry


def add_task_routes(app: FastAPI, guard: Guard, registry: Registry, peers: Peers) -> None:
    """Add `/v1/tasks` and the page of one task below it."""

    async def list_tasks(_: Request) -> Response:
        """Every task the service knows, with its versions and labels."""
        states = registry.states
        tasks: TaskList = {"tasks": [summarize(states[task]) for task in sorted(states)]}
        return JSONResponse(tasks)

    async def show_task(request: Request) -> Response:
        """One task: what answers for it and on how many processes, its classes, what was refused and why."""
        task = request.path_params["task"]
        registry.state(task)
        others = await peers.serving(task)
        state = registry.state(task)
        return JSONResponse(detail(state, readiness(state.record.labels, [answering(state), *others])))

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
