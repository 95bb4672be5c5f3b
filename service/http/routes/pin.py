"""Tasks kept in memory, by the label `pinned`."""

from fastapi import FastAPI, Request, Response
from pydantic import PositiveInt

from adapters.config import PIN_LABEL, STABLE, StrictModel
from adapters.store.labels import LabelFile
from adapters.store.store import Store
from service.access.scope import Scope
from service.http.guard import Guard
from service.http.key_guard import require_still
from service.http.openapi import GONE, TASK_PARAMETER, json_body, problem_responses
from service.http.request.chunks import read_json
from service.http.request.management_query import no_query
from service.http.request_log import note_of
from service.http.routes.labels import MOVE_ERRORS, label_answer
from service.http.routes.lean import add_route
from service.http.wire import LabelDetail
from service.residents.store_work import StoreWork


class Pin(StrictModel):
    """Which version is kept in memory beside the stable one; the stable one if none is named."""

    version: PositiveInt | None = None


def add_pin_routes(app: FastAPI, guard: Guard, work: StoreWork, silence_ms: int) -> None:
    """Add `/v1/tasks/{task}/pin`."""

    async def pin_task(request: Request) -> Response:
        """Keep a task in memory, in every service of the store: its stable version, and one that is named."""
        no_query(request.scope["query_string"])
        task = request.path_params["task"]
        pin = await read_json(request, Pin, silence_ms, empty=Pin())
        await require_still(request.scope)

        def change(store: Store) -> LabelFile:
            at = store.resolve(task, version=pin.version, label=STABLE)
            # Nobody relies on the classes of what is pinned.
            return store.set_label(task, PIN_LABEL, at, replace_classes=True)

        after = await work.change(task, change)
        note_of(request.scope).facts["version"] = after.version
        return label_answer(PIN_LABEL, after)

    async def unpin_task(request: Request) -> Response:
        """Let a task leave memory again."""
        no_query(request.scope["query_string"])
        task = request.path_params["task"]
        await work.change(task, lambda store: store.remove_label(task, PIN_LABEL))
        return Response(status_code=204)

    add_route(
        app, guard, "PUT", "/v1/tasks/{task}/pin", pin_task,
        needs=Scope.ADMIN,
        response_model=LabelDetail,
        responses=problem_responses(*MOVE_ERRORS),
        openapi_extra={**json_body(Pin, required=False), "parameters": [TASK_PARAMETER]},
        tags=["labels"],
    )  # fmt: skip
    add_route(
        app, guard, "DELETE", "/v1/tasks/{task}/pin", unpin_task,
        needs=Scope.ADMIN,
        responses=problem_responses(*MOVE_ERRORS) | GONE,
        openapi_extra={"parameters": [TASK_PARAMETER]},
        tags=["labels"],
    )  # fmt: skip
