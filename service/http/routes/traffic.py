"""The traffic of a label: ruled and taken away."""

from dataclasses import dataclass

from fastapi import FastAPI, Request, Response

from adapters import errors as domain
from adapters.store.label_rules import LabelTraffic
from adapters.store.traffic_rules import set_traffic
from service.http.guard import Guard
from service.http.key_guard import require_still
from service.http.model_json import ModelJSONResponse
from service.http.request.chunks import read_json
from service.http.request.management_query import no_query
from service.http.request_log import note_of
from service.http.routes.label_rule import LabelRule, add_rule_routes
from service.http.wire import TrafficAnswer
from service.residents.store_work import StoreWork

RULE = LabelRule("traffic", LabelTraffic, TrafficAnswer, (domain.ConfigError, domain.StoreConflict))


@dataclass(frozen=True)
class TrafficEndpoints:
    """What is ruled for the traffic of labels; `silence_ms`: how long a body may pause."""

    work: StoreWork
    silence_ms: int

    async def set_traffic(self, request: Request) -> Response:
        """Rule which part of a task's plain requests a label answers, seen or unseen, and what follows."""
        no_query(request.scope["query_string"])
        traffic = await read_json(request, LabelTraffic, self.silence_ms)
        note_of(request.scope).facts["traffic"] = traffic.model_dump()
        await require_still(request.scope)
        return await self._set(request, traffic)

    async def remove_traffic(self, request: Request) -> Response:
        """Let `stable` answer all plain requests again."""
        no_query(request.scope["query_string"])
        return await self._set(request, None)

    async def _set(self, request: Request, traffic: LabelTraffic | None) -> Response:
        task, label = request.path_params["task"], request.path_params["label"]
        file = await self.work.change(task, lambda store: set_traffic(store, task, label, traffic))
        note_of(request.scope).facts["version"] = file.version
        answer: TrafficAnswer = {
            "task": task,
            "label": label,
            "version": file.version,
            "traffic": traffic,
        }
        return ModelJSONResponse(answer)


def add_traffic_routes(app: FastAPI, guard: Guard, work: StoreWork, silence_ms: int) -> None:
    """Add `PUT` and `DELETE` of a label's traffic."""
    traffic = TrafficEndpoints(work, silence_ms)
    add_rule_routes(app, guard, RULE, set_rules=traffic.set_traffic, remove_rules=traffic.remove_traffic)
