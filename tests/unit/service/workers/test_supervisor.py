"""The supervisor with real processes, which only speak its language and start at once."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.errors import WorkersFailed
from service.settings import Settings
from service.workers import supervisor as module
from service.workers.folder import WorkerFolder
from service.workers.restarts import Restarts
from service.workers.supervisor import Supervisor

WORKER = """
import json, os, signal, socket, sys, time
line = socket.socket(fileno=int(sys.argv[-1]))
told = line.makefile("rb")
mine = json.loads(told.readline())
with open(f"{mine['folder']}/starts", "a") as starts:
    starts.write(f"{mine['worker']} {mine['replaces']} {os.getpid()}\\n")
def tell(**report):
    line.send(json.dumps(report).encode() + b"\\n")
"""
SERVES = (
    WORKER
    + """
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
signal.signal(signal.SIGINT, lambda *_: open(f"{mine['folder']}/interrupted", "a").write("x"))
tell(ready=True)
for group in told:
    with open(f"{mine['folder']}/group-{mine['worker']}", "wb") as heard:
        heard.write(group)
"""
)

HANGS = SERVES.replace("for group in told", """
while mine["worker"] or mine["replaces"]:  # all but the first of the first worker tell that they live
    tell()
    time.sleep(0.05)
for group in told""")  # fmt: skip


class Run:
    """A supervisor that runs in the main thread, while another does to it what `meanwhile` says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.result: int | WorkersFailed | None = None

    def __call__(
        self, program: str, meanwhile: Callable[[], None] = lambda: None, *, workers: int = 2
    ) -> int | WorkersFailed:
        settings = Settings(store=self.folder, workers=workers, drain_timeout_s=1)
        folder = WorkerFolder(self.folder)
        folder.metrics.mkdir()
        failures: list[BaseException] = []

        def act() -> None:
            try:
                meanwhile()
            except BaseException as error:
                failures.append(error)
            os.kill(os.getpid(), signal.SIGTERM)

        thread = threading.Thread(target=act)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            run = Supervisor(
                settings,
                listener,
                folder,
                (sys.executable, "-c", program),
                lambda: Restarts(most_failed_starts=2),
            ).run
            if meanwhile is not NOTHING:
                thread.start()
            try:
                self.result = run()
            except WorkersFailed as error:
                self.result = error
            if meanwhile is not NOTHING:
                thread.join()
        assert not failures, failures
        return self.result

    def starts(self) -> list[tuple[str, str, int]]:
        path = self.folder / "starts"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(place, replaces, int(pid)) for place, replaces, pid in map(str.split, lines)]

    def process(self, worker: int) -> int:
        """The latest of this place."""
        return [pid for place, _, pid in self.starts() if place == str(worker)][-1]

    def group(self, worker: int) -> str:
        path = self.folder / f"group-{worker}"
        return path.read_text() if path.exists() else ""

    def wait(self, met: Callable[[], bool]) -> None:
        for _ in range(2_000):
            if met():
                return
            time.sleep(0.01)
        raise AssertionError("it did not come")


def NOTHING() -> None:  # noqa: N802 - a constant
    """Leave the supervisor alone."""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    yield Run(tmp_path)
    for _, _, pid in Run(tmp_path).starts():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)  # nothing is left behind


def all_ready(run: Run, workers: int = 2) -> bool:
    return all(f'"ready":{workers},"all":{workers},"complete":true' in run.group(at) for at in range(workers))


def test_all_hear_when_all_are_ready_and_a_signal_ends_them(run: Run) -> None:
    assert run(SERVES, lambda: run.wait(lambda: all_ready(run))) == 0

    assert sorted(start[:2] for start in run.starts()) == [("0", "False"), ("1", "False")]


def test_one_that_is_killed_is_replaced_and_the_others_stay(run: Run) -> None:
    def meanwhile() -> None:
        run.wait(lambda: all_ready(run))
        os.kill(run.process(1), signal.SIGKILL)
        run.wait(lambda: len(run.starts()) == 3)
        run.wait(lambda: all_ready(run) and f'"1":{run.process(1)}' in run.group(0))

    assert run(SERVES, meanwhile) == 0
    assert sorted(start[:2] for start in run.starts()) == [("0", "False"), ("1", "False"), ("1", "True")]


def test_gauges_of_the_dead_are_forgotten(run: Run) -> None:
    gauge = run.folder / "metrics" / "gauge_livesum_0.db"

    def meanwhile() -> None:
        run.wait(lambda: all_ready(run))
        gauge.touch()
        os.kill(run.process(0), signal.SIGKILL)
        run.wait(lambda: len(run.starts()) == 3)
        assert not gauge.exists()

    assert run(SERVES, meanwhile) == 0


def test_a_fault_at_the_start_ends_all_with_what_it_says(run: Run) -> None:
    faulty = WORKER + "tell(fault='no store here', code=2)\nsys.exit(2)"
    failed = run(faulty, NOTHING)

    assert isinstance(failed, WorkersFailed)
    assert (str(failed), failed.code) == ("no store here", 2)
    assert len(run.starts()) <= 2


def test_ends_before_it_was_ready_are_no_loop(run: Run) -> None:
    failed = run(WORKER + "os.kill(os.getpid(), signal.SIGKILL)", NOTHING, workers=1)

    assert str(failed) == "worker 0 ended 2 times in a row before it was ready (SIGKILL)"
    assert len(run.starts()) == 2


def test_one_that_does_not_end_is_killed_in_the_end(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXIT_GRACE_S", 0.2)
    stubborn = SERVES.replace("lambda *_: os._exit(0)", "signal.SIG_IGN")

    assert run(stubborn, lambda: run.wait(lambda: all_ready(run))) == 0


def test_one_that_was_ready_and_hangs_is_killed_and_replaced(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HANGS_S", 0.6)
    monkeypatch.setattr(module, "LOOK_S", 0.05)
    assert run(HANGS, lambda: run.wait(lambda: len(run.starts()) == 3)) == 0
    assert sorted(start[:2] for start in run.starts()) == [("0", "False"), ("0", "True"), ("1", "False")]


def test_an_interrupt_reaches_a_worker_once_and_a_second_one_too(run: Run) -> None:
    def meanwhile() -> None:
        run.wait(lambda: all_ready(run, 1))
        for count in ("x", "xx"):
            os.kill(os.getpid(), signal.SIGINT)
            run.wait(lambda count=count: (run.folder / "interrupted").exists()  # type: ignore[misc]
                     and (run.folder / "interrupted").read_text() == count)  # fmt: skip

    assert run(SERVES, meanwhile, workers=1) == 0
