"""The HTTP server process: uvicorn, with a drain that ends in exit code 0 and errors as problems."""

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import cast

import uvicorn

from service.app import Service
from service.http.edge.protocol import EdgeProtocol
from service.lifecycle import Phase
from service.listening import listen
from service.logs import log_event
from service.settings import Settings
from service.shutdown import exit_after, handle_exit_signals

logger = logging.getLogger("service.server")
CLOSE = (b"connection", b"close")
EXIT_GRACE_S = 2.0
"""What the end may take beyond the drain: to tell whose answers are cut, and to close."""


class DrainingServer(uvicorn.Server):
    """Turns readiness off at the first signal, and ends when what was admitted has been answered."""

    def __init__(self, config: uvicorn.Config, service: Service, shutdown_delay_s: float = 0.0) -> None:
        super().__init__(config)
        self._shutdown_delay_s = shutdown_delay_s
        self._drain_s = (config.timeout_graceful_shutdown or 0) + EXIT_GRACE_S
        self._lifecycle = service.lifecycle
        self._told_to_end = False
        self._lifecycle.on_change.append(self._phase_changed)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say where: the port may have been left to the system."""
        await super().startup(sockets)
        for server in self.servers if self.started else []:
            for listener in server.sockets:
                host, port = listener.getsockname()[:2]
                log_event(logger, logging.INFO, "listening", host=host, port=port)

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Signals drain; one more that comes while the process is already on its way out changes nothing."""
        loop = asyncio.get_running_loop()

        def handle(number: int, _: FrameType | None) -> None:
            # A signal strikes between any two steps of this thread: it only asks the loop, which may hang.
            if not self._told_to_end:
                self._told_to_end = True
                exit_after(self._shutdown_delay_s + self._drain_s, lambda: self._lifecycle.exit_code)
                loop.call_soon_threadsafe(self._leave)
            elif number == signal.SIGINT:
                loop.call_soon_threadsafe(self._hurry)

        handle_exit_signals(handle)
        try:
            yield
        finally:
            handle_exit_signals(signal.SIG_IGN)

    def _leave(self) -> None:
        if self._lifecycle.phase is not Phase.READY or not self._shutdown_delay_s:
            self._lifecycle.drain()
            return
        self._lifecycle.leave()
        # Clients that keep a connection are to open their next one elsewhere.
        self.config.encoded_headers.append(CLOSE)
        self.server_state.default_headers = [*self.server_state.default_headers, CLOSE]
        asyncio.get_running_loop().call_later(self._shutdown_delay_s, self._lifecycle.drain)

    def _hurry(self) -> None:
        self.force_exit = self._lifecycle.phase is not Phase.LAME_DUCK
        self._lifecycle.drain()

    def _phase_changed(self, phase: Phase) -> None:
        if phase is Phase.READY:
            freeze_heap()
        if phase in (Phase.DRAINING, Phase.FAILED):
            self.should_exit = True
        if phase is Phase.FAILED:  # a lost device may never give its thread back
            exit_after(self._drain_s, lambda: self._lifecycle.exit_code)


def freeze_heap() -> None:
    """Let the garbage collector forget what is there: walking all of torch again stops every request."""
    gc.collect()
    gc.freeze()


def serve(service: Service, settings: Settings, listener: socket.socket | None = None) -> int:
    """Serve until a signal or a fault, on a socket that others may listen on as well; the exit code.

    Without one it makes its own. Raises CannotListen.
    """
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # the service tells of itself
    config = uvicorn.Config(
        service.app,
        http=cast("type[asyncio.Protocol]", partial(EdgeProtocol, service.connections)),
        ws="none",
        log_config=None,
        access_log=False,  # RequestLog has one
        server_header=False,
        timeout_graceful_shutdown=settings.drain_timeout_s,
        proxy_headers=True,
    )
    server = DrainingServer(config, service, settings.shutdown_delay_s)
    server.run([listener or listen(settings.host, settings.port)])
    return service.lifecycle.exit_code
