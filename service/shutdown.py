"""How the process ends: at once while nothing is admitted, in order after that, and never later than it may.

It ends by `os._exit`: the interpreter's own end waits for threads that decode, load or export, however long.
"""

import _thread
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

from service.logs import log_event

logger = logging.getLogger("service.shutdown")
EXIT_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LAST_LINE_S = 0.5

Handler = Callable[[int, FrameType | None], Any] | int | None


@contextmanager
def exit_on_signals() -> Iterator[None]:
    """Within the block a signal ends the process at once with 0: there is nothing to finish yet.

    The handlers are needed as PID 1 too, for which the system has none of its own.
    """
    before = handle_exit_signals(lambda *_: os._exit(0))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def handle_exit_signals(handler: Handler) -> dict[signal.Signals, Handler]:
    """Set the handler of the signals that end the process; those before. What `nohup` ignores stays so."""
    wanted = [number for number in EXIT_SIGNALS if not _ignores_hangups(number)]
    return {number: signal.signal(number, handler) for number in wanted}


def exit_after(after_s: float, code: Callable[[], int]) -> None:
    """End the process after a while, whatever else goes on. May be called by a signal's handler."""

    def end() -> None:
        time.sleep(after_s)
        # The log's lock may be held by what hangs.
        last = threading.Thread(target=log_event, args=(logger, logging.WARNING, "cut_short"), daemon=True)
        last.start()
        last.join(LAST_LINE_S)
        os._exit(code())

    # Not a threading.Thread: its locks may be held by what the signal interrupted.
    _thread.start_new_thread(end, ())


def exit_now(code: int) -> NoReturn:
    """End the process once everything that was logged is out."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _ignores_hangups(number: signal.Signals) -> bool:
    return number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN
