"""How late the event loop is: what every request waits for on top of its own work."""

import asyncio

from prometheus_client import Histogram

INTERVAL_S = 0.25


async def watch_lag(seconds: Histogram, interval_s: float = INTERVAL_S) -> None:
    """Sleep again and again, and observe by how much each sleep was too long, until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due_s = loop.time() + interval_s
        await asyncio.sleep(interval_s)
        seconds.observe(max(0.0, loop.time() - due_s))
