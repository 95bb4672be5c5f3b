"""Liveness, readiness and metrics."""

import asyncio

from fastapi import FastAPI, Request, Response
from prometheus_client.exposition import choose_encoder
from starlette.responses import JSONResponse

from service.errors import DeviceLost, Draining, Starting
from service.http.guard import Guard
from service.http.openapi import problem_responses
from service.http.routes.lean import add_route
from service.http.scope import Scope
from service.http.wire import Health
from service.lifecycle import Lifecycle
from service.metrics import Metrics


def add_health_routes(app: FastAPI, guard: Guard, lifecycle: Lifecycle, metrics: Metrics) -> None:
    """Add `/healthz`, `/readyz` and `/metrics`."""

    async def healthz(_: Request) -> Response:
        """200 as long as the process answers at all."""
        return _status("ok", "the process is alive")

    async def readyz(_: Request) -> Response:
        """200 while requests are wanted, else 503 with the reason."""
        lifecycle.require_ready()
        return _status(lifecycle.phase, lifecycle.told)

    async def metrics_page(request: Request) -> Response:
        """Prometheus metrics."""
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        # Half a millisecond for each task: too long to stand in every request's way.
        page = await asyncio.to_thread(encode, metrics.page)
        return Response(page, headers={"content-type": content_type})

    add_route(app, guard, "GET", "/healthz", healthz, needs=None, response_model=Health, tags=["operations"])
    add_route(
        app,
        guard,
        "GET",
        "/readyz",
        readyz,
        needs=None,
        response_model=Health,
        responses=problem_responses(Starting, Draining, DeviceLost),
        tags=["operations"],
    )
    add_route(app, guard, "GET", "/metrics", metrics_page, needs=Scope.METRICS, tags=["operations"])


def _status(status: str, detail: str) -> Response:
    health: Health = {"status": status, "detail": detail}
    return JSONResponse(health)
