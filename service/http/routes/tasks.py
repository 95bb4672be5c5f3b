"""What tasks there are."""

import asyncio
from dataclasses import replace

from fastapi import FastAPI, Request, Response
from starlette.responses import JSONResponse

from adapters import errors as domain
from adapters.config import STABLE
from service import errors
from service.access.scope import Scope
from service.answers.feedback import Feedback
from service.http.describe import answering, detail, summarize, traffic_detail, would_answer
from service.http.guard import Guard
from service.http.key_guard import may_see
from service.http.model_json import ModelJSONResponse
from service.http.openapi import PAGE_PARAMETERS, TASK_PARAMETER, problem_responses
from service.http.request.page_query import parse_page
from service.http.routes.lean import add_route
from service.http.wire import TaskDetail, TaskList
from service.lifecycle import Lifecycle
from service.peers.peers import Peers, readiness
from service.residents.registry import Registry
from service.traffic.traffic import Traffic


def add_task_routes(
    app: FastAPI,
    guard: Guard,
    lifecycle: Lifecycle,
    registry: Registry,
    peers: Peers,
    traffic: Traffic,
    feedback: Feedback,
) -> None:
    """Add `/v1/tasks` and the page of one task below it."""

    async def list_tasks(request: Request) -> Response:
        """The tasks that the service knows and the key may use, with versions and labels, in pages."""
        lifecycle.require_started()
        page = parse_page(request.scope["query_string"])
        records = registry.tasks.page(replace(page, limit=page.limit + 1), may_see(request.scope))
        tasks: TaskList = {"tasks": [summarize(registry.state(each.name)) for each in records[: page.limit]]}
        if len(records) > page.limit:
            tasks["next"] = records[page.limit - 1].name
        return JSONResponse(tasks)

    async def show_task(request: Request) -> Response:
        """One task: what answers for it and on how many processes, its classes, what was refused and why."""
        lifecycle.require_started()
        task = request.path_params["task"]
        registry.state(task)
        others, counts = await asyncio.gather(peers.serving(task), feedback.counts(task))
        state = registry.state(task)
        version = answering(state).get(STABLE)
        stable = await registry.config(state, version) if version is not None else None
        ready = readiness(state.record.labels, [would_answer(state), *others])
        told = detail(
            state,
            stable,
            ready,
            versions=registry.versions(state),
            statistics=registry.statistics,
            traffic=traffic_detail(state.record, traffic),
            feedback=counts,
        )
        return ModelJSONResponse(told)

    add_route(
        app,
        guard,
        "GET",
        "/v1/tasks",
        list_tasks,
        needs=Scope.CLASSIFY,
        response_model=TaskList,
        responses=problem_responses(errors.BadQuery, errors.Starting),
        openapi_extra={"parameters": PAGE_PARAMETERS},
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
        responses=problem_responses(domain.TaskNotFound, errors.Starting),
        openapi_extra={"parameters": [TASK_PARAMETER]},
        tags=["tasks"],
    )
