"""The HTTP server process: uvicorn, with a drain that ends in exit code 0 and errors as problems."""

import asyncio
import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import cast

import uvicorn

from service.app import Service
from service.errors import CannotListen
from service.http.edge.protocol import EdgeProtocol
from service.lifecycle import Phase
from service.logs import log_event
from service.settings import Settings

logger = logging.getLogger("service.server")
BACKLOG = 2048
EXIT_GRACE_S = 15.0
EXIT_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class DrainingServer(uvicorn.Server):
    """Turns readiness off at the first signal, and ends when what was admitted has been answered."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._exit_after_s = (config.timeout_graceful_shutdown or 0) + EXIT_GRACE_S
        self._lifecycle = service.lifecycle
        self._request_drain: Callable[[], object] = self._lifecycle.drain
        self._lifecycle.on_change.append(self._phase_changed)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say where: the port may have been left to the system."""
        # A signal strikes between any two steps of this thread: it only asks the loop to drain.
        self._request_drain = partial(asyncio.get_running_loop().call_soon_threadsafe, self._lifecycle.drain)
        await super().startup(sockets)
        for server in self.servers if self.started else []:
            for listener in server.sockets:
                host, port = listener.getsockname()[:2]
                log_event(logger, logging.INFO, "listening", host=host, port=port)

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Signals drain; one more that comes while the process is already on its way out changes nothing."""
        for sig in EXIT_SIGNALS:
            signal.signal(sig, self.handle_exit)
        try:
            yield
        finally:
            for sig in EXIT_SIGNALS:
                signal.signal(sig, signal.SIG_IGN)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM and SIGINT drain; unlike uvicorn's own this ends in an exit, not in the signal again."""
        del frame
        self._request_drain()
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True

    def _phase_changed(self, phase: Phase) -> None:
        if phase is Phase.READY:
            freeze_heap()
        if phase in (Phase.DRAINING, Phase.FAILED):
            self.should_exit = True
            exit_after(self._exit_after_s, self._lifecycle.exit_code or 1)


def freeze_heap() -> None:
    """Let the garbage collector forget what is there: walking all of torch again stops every request."""
    gc.collect()
    gc.freeze()


def exit_after(after_s: float, code: int) -> None:
    """End the process after a while whatever else goes on: a lost device may never give its thread back."""
    timer = threading.Timer(after_s, os._exit, (code,))
    timer.daemon = True
    timer.start()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; `::` listens to IPv4 as well. Raises CannotListen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == "::" and socket.has_dualstack_ipv6()
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=both)
    except OSError as error:
        raise CannotListen(f"cannot listen on {host} port {port}: {error.strerror or error}") from error


def serve(service: Service, settings: Settings) -> int:
    """Serve until a signal or a fault; the process's exit code."""
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # the service tells of itself
    config = uvicorn.Config(
        service.app,
        http=cast("type[asyncio.Protocol]", partial(EdgeProtocol, service.connections)),
        ws="none",
        log_config=None,
        access_log=settings.access_log,
        server_header=False,
        timeout_graceful_shutdown=settings.drain_timeout_s,
        proxy_headers=True,
    )
    DrainingServer(config, service).run([listen(settings.host, settings.port)])
    return service.lifecycle.exit_code
