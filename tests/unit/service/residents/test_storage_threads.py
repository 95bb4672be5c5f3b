import subprocess
import sys
import threading

import pytest

from service.residents.storage_threads import StorageThreads


def test_a_call_gives_its_result_or_its_error() -> None:
    threads = StorageThreads(2, "loader")
    assert threads.submit(divmod, 7, 2).result(60) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        threads.submit(divmod, 7, 0).result(60)
    threads.shutdown()


def test_calls_that_hang_hold_no_more_than_the_threads_there_are() -> None:
    go_on, running = threading.Event(), threading.Semaphore(0)

    def hang() -> str | None:
        running.release()
        assert go_on.wait(60)
        return threading.current_thread().name

    threads = StorageThreads(3, "hanging")
    calls = [threads.submit(hang) for _ in range(20)]
    for _ in range(3):
        assert running.acquire(timeout=60)
    assert not running.acquire(timeout=0.05)
    dropped = calls.pop()
    assert dropped.cancel()
    go_on.set()
    assert {call.result(60) for call in calls} <= {"hanging_0", "hanging_1", "hanging_2"}
    threads.shutdown()


HANGS = """
import threading
from service.residents.storage_threads import StorageThreads

threads, running = StorageThreads(1, "loader"), threading.Event()
threads.submit(lambda: (running.set(), threading.Event().wait()))
running.wait()
threads.shutdown()
"""


def test_a_process_ends_while_a_call_hangs() -> None:
    subprocess.run([sys.executable, "-c", HANGS], check=True, timeout=120)
