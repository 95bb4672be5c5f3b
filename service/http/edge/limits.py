"""What one connection may take, and how many there may be."""

from dataclasses import dataclass

MAX_FIELDS = 128
"""Most header fields of a request: each costs many times its bytes."""
PIECE_BYTES = 4096
"""Read at a time, as long as no body is: so much of what comes next is parsed while an answer is made."""
SMALL_REST_BYTES = 65_536
"""Of a body that nobody needs: read to its end, so that the connection can be kept."""
LINGER_IDLE_S = 2.0
LINGER_S = 30.0
"""How long a client that still sends is listened to after its last answer, so that it gets to read it."""


@dataclass(frozen=True)
class EdgeLimits:
    """Bytes of a head, seconds of each wait for the client, and open connections."""

    head_bytes: int = 65_536
    head_timeout_s: float = 10.0
    keep_alive_s: float = 75.0
    send_timeout_s: float = 60.0
    half_closed_grace_s: float = 1.0
    connections: int = 4096
