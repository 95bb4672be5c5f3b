"""Calls that read the store, on threads of their own: a thread that waits for storage that hangs is lost."""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

from service.logs import log_event
from service.metrics import Metrics

logger = logging.getLogger("service.storage")
SLOW_AFTER_S = 5.0
P = ParamSpec("P")
R = TypeVar("R")
Call = tuple[Future[Any], Callable[[], object]]


class StorageThreads(Executor):
    """At most `count` threads: so many a store that hangs can hold, and the process ends without them."""

    def __init__(self, count: int, name: str) -> None:
        self._count = count
        self._name = name
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Call once a thread is free."""
        future: Future[R] = Future()
        self._calls.put((future, partial(fn, *args, **kwargs)))
        if len(self._threads) < self._count:
            name = f"{self._name}_{len(self._threads)}"
            self._threads.append(threading.Thread(target=self._run, name=name, daemon=True))
            self._threads[-1].start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let idle threads end. Never waits for a call: it might not return."""
        del wait, cancel_futures
        for _ in self._threads:
            self._calls.put(None)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            future, function = call
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = function()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
            del call, future, function


async def read_store(threads: Executor, metrics: Metrics, what: str, read: Callable[[], R]) -> R:
    """What `read` gives; `store_slow` is logged, and counted until it ends, when that takes long."""
    future = threads.submit(read)

    def report() -> None:
        log_event(logger, logging.WARNING, "store_slow", reading=what, seconds=SLOW_AFTER_S)
        metrics.slow_store_reads.inc()
        future.add_done_callback(lambda _: metrics.slow_store_reads.dec())

    slow = asyncio.get_running_loop().call_later(SLOW_AFTER_S, report)
    try:
        return await asyncio.wrap_future(future)
    finally:
        slow.cancel()
