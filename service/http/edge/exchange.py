"""One request and its answer."""

from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from service.http.edge.heads import declared_length
from service.http.edge.limits import LINGER_IDLE_S, LINGER_S, SMALL_REST_BYTES

BODY_IN_DOUBT = frozenset({400, 408, 413})  # as nginx: whoever sent that has more to send than is read


class Exchange(RequestResponseCycle):
    """uvicorn's cycle, which also knows what becomes of the connection while a body is still on its way."""

    received_bytes = 0
    closes = False
    linger_s = LINGER_S

    async def send(self, message: Any) -> None:
        """Send a part of the answer; after the last one the protocol closes the connection or keeps it."""
        if message["type"] != "http.response.start":
            await super().send(message)
            return
        if self.more_body:
            self.keep_alive = self.keep_alive and self._rest_is_small(message["status"])
            if message["status"] == 408:
                self.linger_s = LINGER_IDLE_S  # this client was waited for long enough
        await super().send(message)
        # The head has said it; uvicorn would close at once, and a client that still sends lose its answer.
        self.closes, self.keep_alive = not self.keep_alive, True

    def _rest_is_small(self, status: int) -> bool:
        if self.waiting_for_100_continue or status in BODY_IN_DOUBT:
            return False
        declared = declared_length(list(self.scope["headers"]))
        return declared is not None and declared - self.received_bytes <= SMALL_REST_BYTES
