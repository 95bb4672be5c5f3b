"""What servers and models there are: health, metadata, configuration, readiness and statistics."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from fastapi import FastAPI, Request, Response
from starlette.responses import JSONResponse

from adapters.config import BackboneConfig
from adapters.kinds.adapter_config import AdapterConfig
from service.access.scope import Scope
from service.errors import AdapterUnavailable
from service.http.guard import Guard
from service.http.key_guard import may_see
from service.http.protocol_v2.contract import EXTENSIONS
from service.http.protocol_v2.infer_route import ANY_VERSION, ERRORS, TAGS
from service.http.protocol_v2.model import model_config, model_metadata, version_asked, version_meant
from service.http.protocol_v2.statistics_answer import model_statistics
from service.http.protocol_v2.wire import Live, ModelMetadata, Ready, ServerMetadata, StatisticsAnswer
from service.http.routes.lean import Endpoint, add_route
from service.lifecycle import Lifecycle
from service.metrics import distribution_version
from service.residents.registry import Registry
from service.residents.task_state import TaskState


@dataclass(frozen=True)
class ModelEndpoints:
    """Endpoints of one model, and of all."""

    registry: Registry
    lifecycle: Lifecycle
    backbone: BackboneConfig
    most_pictures: int

    async def metadata(self, request: Request) -> Response:
        """What a task takes and gives."""
        state, config = await self._config(request)
        return JSONResponse(model_metadata(state.record, config, self.backbone))

    async def config(self, request: Request) -> Response:
        """The same as Triton's model configuration, with the labels."""
        state, config = await self._config(request)
        return JSONResponse(model_config(state.record, config, self.backbone, self.most_pictures))

    async def ready(self, request: Request) -> Response:
        """200 where a request would be answered, be it that the first one reads the version."""
        self.lifecycle.require_ready()
        state, version = self._meant(request)
        if version in state.refusals and version not in state.residents:
            raise _refused(state, version)
        ready: Ready = {"name": state.record.name, "ready": True}
        return JSONResponse(ready)

    async def stats(self, request: Request) -> Response:
        """What one version answered, or each version of a task."""
        state, version = self._meant(request)
        all_versions = "version" not in request.path_params
        return self._statistics(
            (state.record.name, each) for each in (state.record.versions if all_versions else [version])
        )

    async def all_stats(self, request: Request) -> Response:
        """What each version answered that was asked."""
        visible = may_see(request.scope)
        return self._statistics(
            (task, version)
            for task, version in self.registry.statistics
            if visible(task) and task in self.registry.tasks and version in self.registry.tasks[task].versions
        )

    def _statistics(self, versions: Iterable[tuple[str, int]]) -> Response:
        stats = [model_statistics(*each, self.registry.statistics.of(*each)) for each in versions]
        return JSONResponse(StatisticsAnswer(model_stats=stats))

    def _meant(self, request: Request) -> tuple[TaskState, int]:
        self.lifecycle.require_started()
        state = self.registry.state(request.path_params["task"])
        return state, version_meant(state, *version_asked(request.path_params))

    async def _config(self, request: Request) -> tuple[TaskState, AdapterConfig]:
        state, version = self._meant(request)
        config = await self.registry.config(state, version)
        if config is None:
            raise _refused(state, version)
        return state, config


def _refused(state: TaskState, version: int) -> AdapterUnavailable:
    refusal = state.refusals.get(version)
    why = f"was refused: {refusal.error}" if refusal else "cannot be read from the store now"
    return AdapterUnavailable(f"version {version} of task {state.record.name!r} {why}")


def add_server_routes(app: FastAPI, guard: Guard, lifecycle: Lifecycle) -> None:
    """Add `/v2` and `/v2/health/`."""

    async def server(_: Request) -> Response:
        """What server this is, and which extensions of the protocol it speaks."""
        told: ServerMetadata = {
            "name": "dvpt-serve",
            "version": distribution_version(),
            "extensions": list(EXTENSIONS),
        }
        return JSONResponse(told)

    async def live(_: Request) -> Response:
        """200 as long as the process answers at all."""
        return JSONResponse(Live(live=True))

    async def ready(_: Request) -> Response:
        """200 while requests are wanted, else 503."""
        lifecycle.require_ready()
        return JSONResponse(Ready(ready=True))

    add = partial(add_route, app, guard, "GET", responses=ERRORS, tags=TAGS)
    add("/v2", server, needs=Scope.CLASSIFY, response_model=ServerMetadata)
    add("/v2/health/live", live, needs=None, response_model=Live)
    add("/v2/health/ready", ready, needs=None, response_model=Ready)


def add_model_routes(app: FastAPI, guard: Guard, models: ModelEndpoints) -> None:
    """Add what is below `/v2/models`, but for `infer`."""
    add = partial(add_route, app, guard, "GET", needs=Scope.CLASSIFY, responses=ERRORS, tags=TAGS)
    add("/v2/models/stats", models.all_stats, response_model=StatisticsAnswer)
    endpoints: list[tuple[str, Endpoint, object]] = [
        ("", models.metadata, ModelMetadata),
        ("/config", models.config, dict),
        ("/ready", models.ready, Ready),
        ("/stats", models.stats, StatisticsAnswer),
    ]
    for path, parameters in ANY_VERSION:
        for name, endpoint, answer in endpoints:
            add(path + name, endpoint, response_model=answer, openapi_extra={"parameters": parameters})
