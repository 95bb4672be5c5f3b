import signal
import subprocess
import sys

import pytest

from service.shutdown import exit_on_signals

HANGS = """
import threading
from service.shutdown import exit_after
threading.Thread(target=threading.Event().wait).start()
exit_after(0.05, lambda: 7)
"""

LOCKED = """
import logging, threading, time
from service.logs import configure_logging
from service.shutdown import exit_after
configure_logging()
logging.getLogger().handlers[0].acquire()
exit_after(0.05, lambda: 7)
time.sleep(3600)
"""

SIGNALLED = """
import os, signal, sys
from service.shutdown import exit_on_signals
# Whatever these tests themselves were started by.
signal.signal(signal.SIGHUP, signal.SIG_IGN if "nohup" in sys.argv else signal.SIG_DFL)
with exit_on_signals():
    os.kill(os.getpid(), getattr(signal, sys.argv[1]))
    sys.exit(3)
"""


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, check=False, timeout=240, capture_output=True, text=True)


def test_a_thread_that_never_ends_cannot_keep_the_process() -> None:
    assert run(HANGS).returncode == 7


def test_a_log_that_is_held_cannot_keep_the_process() -> None:
    assert run(LOCKED).returncode == 7


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_process_without_a_word(name: str) -> None:
    ended = run(SIGNALLED, name)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_what_nohup_ignores_stays_ignored() -> None:
    assert run(SIGNALLED, "SIGHUP", "nohup").returncode == 3


def test_the_handlers_before_come_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with exit_on_signals():
        assert signal.getsignal(signal.SIGTERM) is not before[1]

    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before
