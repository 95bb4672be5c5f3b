"""Waiting for what another process or thread does."""

import time
from collections.abc import Callable

LIMIT_S = 120.0


def wait_until(condition: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
    """Return once `condition` holds; `what` says in the failure what did not come."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"still waiting: {what}"
        time.sleep(0.02)
