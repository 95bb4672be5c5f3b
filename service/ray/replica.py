"""One replica: the whole service of one process, its lifecycle told to Ray Serve."""

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import ray
from prometheus_client import generate_latest
from ray import serve
from starlette.types import ASGIApp

from adapters.threads import wait_briefly
from service.errors import DeviceLost
from service.lifecycle import Phase
from service.listening import listen
from service.logs import configure_logging, log_event
from service.peers.addresses import Address
from service.peers.peers import Peers
from service.ray.autoscaling import QUEUED_PICTURES
from service.ray.cancellation import DisconnectOnCancel
from service.ray.metrics_page import MetricsOfAll
from service.ray.proxies import behind_proxies
from service.ray.siblings import SiblingAddresses, Siblings
from service.settings import Settings, settings_from
from service.shutdown import exit_after

if TYPE_CHECKING:
    from service.app import Service

logger = logging.getLogger("service")
EXIT_GRACE_S = 2.0
"""For answers to those whose requests the lost device had, before the process ends."""


class Replica:
    """What `dvpt-serve` runs in a process, without a listener of its own: Ray's proxy is one.

    `flags` are settings by name, as `dvpt-serve` takes them; variables are those of its process.
    """

    def __init__(self, flags: dict[str, Any]) -> None:
        wait_briefly()
        settings = settings_from({**assigned_cores(flags), **behind_proxies(flags)})
        configure_logging(settings.log_level)
        log_event(logger, logging.INFO, "settings", **settings.model_dump())
        listener = listen(ray.util.get_node_ip_address(), 0)
        self._address = Address(host=listener.getsockname()[0], port=listener.getsockname()[1])
        self._siblings = Siblings()
        peers = Peers(SiblingAddresses(self._siblings, self._address), listener)
        self._service = self.create(settings, peers)
        self._was_ready = False
        self._service.lifecycle.on_change.append(self._phase_changed)

    def create(self, settings: Settings, peers: Peers) -> "Service":
        """The service that this replica is."""
        # torch reads what wait_briefly sets when it is imported.
        from service.app import create_service  # noqa: PLC0415
        from service.served_store import open_served_store  # noqa: PLC0415

        return create_service(settings, open_served_store(settings), peers=peers)

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """The application, whose lifespan Ray runs."""
        return DisconnectOnCancel(MetricsOfAll(self._service.app, self._metrics_pages))

    async def check_health(self) -> None:
        """Return once the service is ready, and as long as it is; raises DeviceLost when it gave up.

        Ray routes to a replica from its first health check on, and replaces one that fails.
        """
        lifecycle = self._service.lifecycle
        await lifecycle.started()
        if lifecycle.phase is Phase.FAILED:
            raise DeviceLost(lifecycle.reason)

    async def peer_address(self) -> Address:
        """Where the other replicas ask this one."""
        return self._address

    async def metrics_page(self) -> tuple[str, str]:
        """The replica's id and its metrics."""
        page = await asyncio.to_thread(generate_latest, self._service.metrics.page)
        return serve.get_replica_context().replica_id.unique_id, page.decode()

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """What the autoscaling policy goes by."""
        return {QUEUED_PICTURES: float(self._service.admitted_pictures())}

    async def _metrics_pages(self) -> Mapping[str, str]:
        return await self._siblings.metrics_pages() or dict([await self.metrics_page()])

    def _phase_changed(self, phase: Phase) -> None:
        if phase is Phase.FAILED and self._was_ready:  # Ray would take three failed checks to replace it
            exit_after(EXIT_GRACE_S, lambda: self._service.lifecycle.exit_code)
        self._was_ready |= phase is Phase.READY


def assigned_cores(flags: dict[str, Any]) -> dict[str, int]:
    """Threads by the cores that Ray set aside for this replica, where no setting gives their number."""
    given = Settings(**flags).model_fields_set
    cores = max(1, int(ray.get_runtime_context().get_assigned_resources().get("CPU", 1)))
    return {name: cores for name in ("torch_threads", "decode_threads") if name not in given}
