"""The labels of a task over HTTP: shown, moved, rolled back and removed, on a condition if one is given."""

from dataclasses import dataclass

from fastapi import FastAPI, Request, Response
from pydantic import PositiveInt

from adapters import errors as domain
from adapters.config import StrictModel
from adapters.store.label_rules import LabelRules
from adapters.store.labels import LabelFile
from adapters.store.store import Store
from service import errors
from service.access.scope import Scope
from service.http.guard import Guard
from service.http.key_guard import require_still
from service.http.model_json import ModelJSONResponse
from service.http.openapi import (
    ETAG_PARAMETERS,
    GONE,
    LABEL_PARAMETER,
    REPLACE_CLASSES,
    TASK_PARAMETER,
    json_body,
    problem_responses,
)
from service.http.request.chunks import read_json
from service.http.request.management_query import no_query, parse_flag
from service.http.request.preconditions import expected_etags
from service.http.request_log import note_of
from service.http.routes.lean import add_route
from service.http.wire import LabelDetail, LabelList
from service.residents.store_work import StoreWork

LABEL_ERRORS = (
    errors.BadQuery,
    domain.InvalidName,
    domain.TaskNotFound,
    domain.LabelNotFound,
    errors.StoreSlow,
    domain.StoreError,
    errors.Starting,
    errors.Draining,
)
MOVE_ERRORS = (
    errors.RequestError,
    errors.BadBody,
    *LABEL_ERRORS,
    domain.VersionNotFound,
    domain.StoreConflict,
    domain.ClassesDiffer,
    domain.StoreReadOnly,
    domain.LabelMoved,
)


class LabelMove(StrictModel):
    """Where a label is to point."""

    version: PositiveInt
    replace_classes: bool = False


@dataclass(frozen=True)
class LabelEndpoints:
    """What is done with labels; `silence_ms`: how long a body may pause."""

    work: StoreWork
    silence_ms: int

    async def list_labels(self, request: Request) -> Response:
        """Every label of a task: its versions now and before, and what is ruled for it."""
        no_query(request.scope["query_string"])
        found = await self.work.read(
            request.path_params["task"], lambda store: store.labels(request.path_params["task"])
        )
        labels: LabelList = {"labels": [_detail(name, label) for name, label in found.items()]}
        return ModelJSONResponse(labels)

    async def show_label(self, request: Request) -> Response:
        """One label, with an ETag to move it by."""
        no_query(request.scope["query_string"])
        task, label = _named(request)
        return label_answer(label, await self.work.read(task, lambda store: store.label(task, label)))

    async def set_label(self, request: Request) -> Response:
        """Point a label at a version.

        With `If-Match` only if it is as it was seen, with `If-None-Match: *` only if it is not there yet.
        """
        no_query(request.scope["query_string"])
        task, label = _named(request)
        expected = expected_etags(request.headers)
        move = await read_json(request, LabelMove, self.silence_ms)
        note_of(request.scope).facts |= {"version": move.version}
        await require_still(request.scope)

        def change(store: Store) -> LabelFile:
            return store.set_label(
                task, label, move.version, replace_classes=move.replace_classes, expected=expected
            )

        return label_answer(label, await self.work.change(task, change))

    async def remove_label(self, request: Request) -> Response:
        """Remove a label, its history and its rules."""
        no_query(request.scope["query_string"])
        task, label = _named(request)
        expected = expected_etags(request.headers)
        await self.work.change(task, lambda store: store.remove_label(task, label, expected=expected))
        return Response(status_code=204)

    async def roll_back(self, request: Request) -> Response:
        """Move a label back to the version it named before; with `If-Match` it goes back once only."""
        replace = parse_flag(request.scope["query_string"], "replace_classes")
        task, label = _named(request)
        expected = expected_etags(request.headers)

        def change(store: Store) -> LabelFile:
            store.rollback(task, label, replace_classes=replace, expected=expected)
            return store.label(task, label)

        after = await self.work.change(task, change)
        note_of(request.scope).facts["version"] = after.version
        return label_answer(label, after)


def add_label_routes(app: FastAPI, guard: Guard, work: StoreWork, silence_ms: int) -> None:
    """Add `/v1/tasks/{task}/labels` and what is below it."""
    labels, every = LabelEndpoints(work, silence_ms), "/v1/tasks/{task}/labels"
    add_route(
        app, guard, "GET", every, labels.list_labels,
        needs=Scope.CLASSIFY,
        response_model=LabelList,
        responses=problem_responses(*LABEL_ERRORS),
        openapi_extra={"parameters": [TASK_PARAMETER]},
        tags=["labels"],
    )  # fmt: skip
    one = [TASK_PARAMETER, LABEL_PARAMETER]
    add_route(
        app, guard, "GET", f"{every}/{{label}}", labels.show_label,
        needs=Scope.CLASSIFY,
        responses=problem_responses(*LABEL_ERRORS),
        openapi_extra={"parameters": one},
        response_model=LabelDetail,
        tags=["labels"],
    )  # fmt: skip
    add_route(
        app, guard, "PUT", f"{every}/{{label}}", labels.set_label,
        needs=Scope.ADMIN,
        responses=problem_responses(*MOVE_ERRORS),
        openapi_extra={**json_body(LabelMove), "parameters": [*one, *ETAG_PARAMETERS]},
        response_model=LabelDetail,
        tags=["labels"],
    )  # fmt: skip
    add_route(
        app, guard, "DELETE", f"{every}/{{label}}", labels.remove_label,
        needs=Scope.ADMIN,
        responses=problem_responses(*MOVE_ERRORS) | GONE,
        openapi_extra={"parameters": [*one, *ETAG_PARAMETERS]},
        tags=["labels"],
    )  # fmt: skip
    add_route(
        app, guard, "POST", f"{every}/{{label}}/rollback", labels.roll_back,
        needs=Scope.ADMIN,
        responses=problem_responses(*MOVE_ERRORS),
        openapi_extra={"parameters": [*one, REPLACE_CLASSES, *ETAG_PARAMETERS]},
        response_model=LabelDetail,
        tags=["labels"],
    )  # fmt: skip


def label_answer(label: str, found: LabelFile) -> Response:
    """One label as JSON, with its ETag."""
    return ModelJSONResponse(_detail(label, found), headers={"ETag": f'"{found.etag}"'})


def _named(request: Request) -> tuple[str, str]:
    return request.path_params["task"], request.path_params["label"]


def _detail(label: str, found: LabelFile) -> LabelDetail:
    rules = found.rules or LabelRules()
    return {
        "label": label,
        "version": found.version,
        "previous": list(reversed(found.history)),
        "traffic": rules.traffic,
        "thresholds": rules.thresholds,
        "etag": found.etag,
    }
