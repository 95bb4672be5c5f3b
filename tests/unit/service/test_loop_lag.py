import asyncio
import time

import pytest

from service.loop_lag import watch_lag
from service.metrics import Metrics

pytestmark = pytest.mark.anyio


async def test_a_loop_that_is_blocked_is_seen() -> None:
    metrics = Metrics()
    watching = asyncio.create_task(watch_lag(metrics.loop_lag_seconds, interval_s=0.01))
    await asyncio.sleep(0)
    time.sleep(0.25)  # noqa: ASYNC251 - that is what is looked for
    await asyncio.sleep(0.02)
    watching.cancel()

    value = metrics.registry.get_sample_value
    assert (value("dvpt_event_loop_lag_seconds_sum") or 0) > 0.2
