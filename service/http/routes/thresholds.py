"""Thresholds of a label, set and taken away while it answers."""

from dataclasses import dataclass

from fastapi import FastAPI, Request, Response

from adapters import errors as domain
from adapters.store.label_rules import LabelThresholds
from adapters.store.label_thresholds import rule_thresholds
from service.http.guard import Guard
from service.http.key_guard import require_still
from service.http.model_json import ModelJSONResponse
from service.http.request.chunks import read_json
from service.http.request.management_query import no_query
from service.http.request_log import note_of
from service.http.routes.label_rule import LabelRule, add_rule_routes
from service.http.wire import RuledThresholds
from service.residents.store_work import StoreWork

RULE = LabelRule("thresholds", LabelThresholds, RuledThresholds, (domain.ClassNotFound,))


@dataclass(frozen=True)
class ThresholdEndpoints:
    """What is ruled for the thresholds of labels; `silence_ms`: how long a body may pause."""

    work: StoreWork
    silence_ms: int

    async def set_thresholds(self, request: Request) -> Response:
        """Accept answers by this label from these probabilities on, instead of the version's own."""
        no_query(request.scope["query_string"])
        thresholds = await read_json(request, LabelThresholds, self.silence_ms)
        note_of(request.scope).facts["thresholds"] = thresholds.model_dump()
        await require_still(request.scope)
        return await self._set(request, thresholds)

    async def remove_thresholds(self, request: Request) -> Response:
        """Let the version's own thresholds hold again."""
        no_query(request.scope["query_string"])
        return await self._set(request, None)

    async def _set(self, request: Request, thresholds: LabelThresholds | None) -> Response:
        task, label = request.path_params["task"], request.path_params["label"]
        file = await self.work.change(task, lambda store: rule_thresholds(store, task, label, thresholds))
        note_of(request.scope).facts["version"] = file.version
        now = file.rules.thresholds if file.rules else None
        answer: RuledThresholds = {"label": label, "version": file.version, "thresholds": now}
        return ModelJSONResponse(answer)


def add_threshold_routes(app: FastAPI, guard: Guard, work: StoreWork, silence_ms: int) -> None:
    """Add `PUT` and `DELETE` of a label's thresholds."""
    thresholds = ThresholdEndpoints(work, silence_ms)
    add_rule_routes(
        app, guard, RULE, set_rules=thresholds.set_thresholds, remove_rules=thresholds.remove_thresholds
    )
