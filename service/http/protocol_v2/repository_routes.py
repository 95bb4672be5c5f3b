"""The model repository: what there is, and what is in memory."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial

from fastapi import FastAPI, Request, Response
from pydantic import Field
from pydantic_core import to_json
from starlette.responses import StreamingResponse

from adapters.config import StrictModel
from adapters.store.page import Page
from service.access.scope import Scope
from service.errors import AdapterLoading, RequestTooLarge
from service.http.guard import Guard
from service.http.key_guard import may_see
from service.http.protocol_v2.infer_route import ERRORS, TAGS, TASK
from service.http.protocol_v2.validated import Model, validated
from service.http.protocol_v2.wire import IndexedVersion
from service.http.request.body_reader import BodyReader
from service.http.request.json_body import read_json
from service.http.request.media_types import Form
from service.http.routes.lean import add_route
from service.lifecycle import Lifecycle
from service.residents.registry import Registry
from service.residents.task_state import TaskState

MOST_BODY_BYTES = 65_536
PAGE = 1000
"""Tasks of the index that are told at a time; between them other requests have their turn."""


class IndexQuery(StrictModel):
    """`ready`: only what is in memory."""

    ready: bool = False


class ControlParameters(StrictModel):
    """What Triton's clients send with load and unload, of which nothing is taken here but the default."""

    unload_dependents: bool = False


class Control(StrictModel):
    """The body of a load or an unload."""

    parameters: ControlParameters = Field(default=ControlParameters())


@dataclass(frozen=True)
class RepositoryEndpoints:
    """What lists the versions there are, and takes tasks into memory and out of it."""

    registry: Registry
    lifecycle: Lifecycle
    bodies: BodyReader

    async def index(self, request: Request) -> Response:
        """Every version of every task that the key may see, and whether it is in memory."""
        self.lifecycle.require_started()
        query = await _body(self.bodies, request, "", IndexQuery)
        return StreamingResponse(self._index(request, query), media_type="application/json")

    async def load(self, request: Request) -> Response:
        """Read the version that is stable, unless it is in memory, and put it in a slot."""
        task = request.path_params["task"]
        self.lifecycle.require_admitting()
        self.registry.state(task)
        await _body(self.bodies, request, task, Control)
        timeout_ms = self.bodies.limits.default_timeout_ms
        try:
            async with asyncio.timeout(timeout_ms / 1000), self.registry.lease(task, None, None):
                return Response()
        except TimeoutError as error:
            raise AdapterLoading(f"task {task!r} is not in a slot after {timeout_ms} ms") from error

    async def unload(self, request: Request) -> Response:
        """Let every version of a task leave memory; the next request for it reads it again."""
        self.lifecycle.require_started()
        task = request.path_params["task"]
        self.registry.state(task)
        await _body(self.bodies, request, task, Control)
        self.registry.unload(task)
        return Response()

    async def _index(self, request: Request, query: IndexQuery) -> AsyncIterator[bytes]:
        visible, after, mark = may_see(request.scope), "", b"["
        while records := self.registry.tasks.page(Page(PAGE, after), visible):
            after = records[-1].name
            for record in records:
                for version in _versions(self.registry.state(record.name), query):
                    yield mark + to_json(version)
                    mark = b","
            await asyncio.sleep(0)
        yield b"[]" if mark == b"[" else b"]"


def _versions(state: TaskState, query: IndexQuery) -> Iterator[IndexedVersion]:
    for version in state.record.versions:
        ready = version in state.residents
        if ready or not query.ready:
            yield {
                "name": state.record.name,
                "version": str(version),
                "state": "READY" if ready else "UNAVAILABLE",
                "reason": "" if ready else _reason(state, version),
            }


def _reason(state: TaskState, version: int) -> str:
    refusal = state.refusals.get(version)
    return refusal.error if refusal else "unloaded"


async def _body(bodies: BodyReader, request: Request, task: str, model: type[Model]) -> Model:
    body = await bodies.read(request, task, Form.JSON)
    data = body.data
    body.release()
    if len(data) > MOST_BODY_BYTES:
        raise RequestTooLarge(f"the body has {len(data)} bytes; here it may have {MOST_BODY_BYTES}")
    return validated(model, read_json(data) if data.strip() else {})


def add_repository_routes(app: FastAPI, guard: Guard, repository: RepositoryEndpoints) -> None:
    """Add what is below `/v2/repository`."""
    add = partial(add_route, app, guard, "POST", responses=ERRORS, tags=TAGS)
    add("/v2/repository/index", repository.index, needs=Scope.CLASSIFY, response_model=list[IndexedVersion])
    for verb, endpoint in (("load", repository.load), ("unload", repository.unload)):
        path = f"/v2/repository/models/{{task}}/{verb}"
        add(path, endpoint, needs=Scope.ADMIN, openapi_extra={"parameters": [TASK]})
