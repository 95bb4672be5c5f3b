"""The supervisor: starts the workers on one listening socket, replaces those that end, and ends them all.

It serves nothing itself and imports neither torch nor the web framework. docs/adr/0029 has the reasons.
"""

import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

from service.errors import WorkersFailed
from service.logs import log_event
from service.settings import Settings
from service.shutdown import handle_exit_signals
from service.workers.folder import WorkerFolder
from service.workers.messages import Assignment, Group, Line, Report
from service.workers.metric_files import forget_gauges
from service.workers.restarts import Restarts

logger = logging.getLogger("service.workers")
COMMAND = (sys.executable, "-P", "-m", "service.workers.worker")
LOOK_S = 0.5
HANGS_S = 30.0
"""A worker that was ready and has told nothing for so long is killed."""
EXIT_GRACE_S = 4.0
"""Beyond delay and drain: what a worker's own end may take, and a little more, before it is killed."""


@dataclass(eq=False)
class Worker:
    """One process, and what is known of it."""

    place: int
    process: subprocess.Popen[bytes]
    line: Line
    ready_at_s: float | None = None
    silent_s: float = 0.0
    fault: Report | None = None


@dataclass
class Place:
    """One of the places for a worker: who has it, or when somebody will."""

    restarts: Restarts = field(default_factory=Restarts)
    worker: Worker | None = None
    start_at_s: float = 0.0
    starts: int = 0


class Supervisor:
    """Runs `settings.workers` processes of `command`, to which the number of a descriptor is added."""

    def __init__(
        self,
        settings: Settings,
        listener: socket.socket,
        folder: WorkerFolder,
        command: Sequence[str] = COMMAND,
        new_restarts: Callable[[], Restarts] = Restarts,
    ) -> None:
        self._settings = settings
        self._listener = listener
        self._folder = folder
        self._command = command
        self._places = [Place(new_restarts()) for _ in range(settings.workers)]
        self._selector = selectors.DefaultSelector()
        self._complete = False
        self._failed: WorkersFailed | None = None
        self._end_at_s: float | None = None

    def run(self) -> int:
        """Serve until a signal; the process's exit code. Raises WorkersFailed where no worker can serve."""
        with self._signals(), self._selector:
            try:
                while self._end_at_s is None or self._alive():
                    self._start_due()
                    self._listen_to_all(LOOK_S)
                    self._kill_overdue()
            finally:
                for worker in self._alive():
                    worker.process.kill()
                    worker.process.wait()
        if self._failed is not None:
            raise self._failed
        return 0

    def _alive(self) -> list[Worker]:
        return [place.worker for place in self._places if place.worker is not None]

    # Starting

    def _start_due(self) -> None:
        for number, place in enumerate(self._places):
            due = place.worker is None and monotonic() >= place.start_at_s
            if due and self._end_at_s is None:
                place.worker = self._start(number, replaces=place.starts > 0 and self._complete)
                place.starts += 1
                self._tell_all()

    def _start(self, number: int, *, replaces: bool) -> Worker:
        ours, theirs = socket.socketpair()
        process = subprocess.Popen(  # noqa: S603 - a program of ours
            [*self._command, str(theirs.fileno())],
            pass_fds=(theirs.fileno(), self._listener.fileno()),
            process_group=0,  # a terminal's Ctrl-C is for the supervisor, which passes it on once
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        theirs.close()
        worker = Worker(number, process, Line(ours))
        worker.line.send(
            Assignment(
                worker=number,
                listener=self._listener.fileno(),
                folder=self._folder.root,
                replaces=replaces,
                settings=self._settings.model_dump(mode="json"),
            )
        )
        self._selector.register(ours, selectors.EVENT_READ, worker)
        log_event(logger, logging.INFO, "worker_started", worker=number, process=process.pid)
        return worker

    # Listening

    def _listen_to_all(self, timeout_s: float) -> None:
        began_s = monotonic()
        for key, _ in self._selector.select(timeout_s):
            if isinstance(key.data, Worker):
                self._hear(key.data)
            else:
                for number in key.data.recv(64):
                    self._signalled(signal.Signals(number))
        # Only time in which this process ran itself counts: all of them may have been paused.
        for worker in self._alive():
            worker.silent_s += min(monotonic() - began_s, 2 * LOOK_S)

    def _hear(self, worker: Worker) -> None:
        reports = worker.line.receive()
        if reports is None:
            self._ended(worker)
            return
        for report in reports:
            worker.silent_s = 0.0
            if report.fault:
                worker.fault = report
            elif report.ready and worker.ready_at_s is None:
                worker.ready_at_s = monotonic()
                self._became_ready()

    def _became_ready(self) -> None:
        ready = sum(worker.ready_at_s is not None for worker in self._alive())
        if ready == len(self._places) and not self._complete:
            self._complete = True
            log_event(logger, logging.INFO, "ready", workers=ready)
        self._tell_all()

    def _tell_all(self) -> None:
        workers = self._alive()
        group = Group(
            ready=sum(worker.ready_at_s is not None for worker in workers),
            all=len(self._places),
            complete=self._complete,
            processes={worker.place: worker.process.pid for worker in workers},
        )
        for worker in workers:
            worker.line.send(group)

    # Ends

    def _ended(self, worker: Worker) -> None:
        self._selector.unregister(worker.line.end)
        worker.line.end.close()
        code = worker.process.wait()
        place = self._places[worker.place]
        place.worker = None
        forget_gauges(self._folder.metrics, worker.place)
        if self._end_at_s is not None:
            return
        ready_s = None if worker.ready_at_s is None else monotonic() - worker.ready_at_s
        if worker.fault is not None and not self._complete:
            self._give_up(WorkersFailed(worker.fault.fault, worker.fault.code))
            return
        pause_s = place.restarts.ended(ready_s)
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        level = logging.INFO if code == 0 else logging.ERROR
        ready_for = "never" if ready_s is None else f"{ready_s:.1f}"
        told = {"worker": worker.place, "ended_by": how, "ready_s": ready_for}
        log_event(logger, level, "worker_ended", **told, pause_s="none" if pause_s is None else pause_s)
        if pause_s is None:
            cause = f": {worker.fault.fault}" if worker.fault else ""
            times = place.restarts.failed_starts
            text = f"worker {worker.place} ended {times} times in a row before it was ready ({how}){cause}"
            self._give_up(WorkersFailed(text))
            return
        place.start_at_s = monotonic() + pause_s
        self._tell_all()

    def _give_up(self, error: WorkersFailed) -> None:
        self._failed = error
        self._end(signal.SIGTERM)

    def _signalled(self, number: signal.Signals) -> None:
        if self._end_at_s is None:
            self._end(number)
        elif number is signal.SIGINT:
            self._pass_on(number)

    def _end(self, number: signal.Signals) -> None:
        # While this process held it open too, clients would connect and wait for an answer that never comes.
        self._listener.close()
        settings = self._settings
        in_s = settings.shutdown_delay_s + settings.drain_timeout_s + EXIT_GRACE_S
        self._end_at_s = monotonic() + in_s
        log_event(logger, logging.INFO, "ending", workers=len(self._alive()))
        self._pass_on(number)

    def _pass_on(self, number: signal.Signals) -> None:
        for worker in self._alive():
            worker.process.send_signal(number)

    def _kill_overdue(self) -> None:
        ending = self._end_at_s is not None and monotonic() >= self._end_at_s
        for worker in self._alive():
            hangs = worker.ready_at_s is not None and worker.silent_s >= HANGS_S
            if ending or hangs:
                log_event(
                    logger, logging.ERROR, "worker_killed", worker=worker.place, silent_s=worker.silent_s
                )
                worker.silent_s = 0.0
                worker.process.kill()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Within the block signals arrive at the selector."""
        heard, noted = socket.socketpair()
        for end in (heard, noted):
            end.setblocking(False)
        before = handle_exit_signals(lambda *_: None)
        wakeup = signal.set_wakeup_fd(noted.fileno())
        self._selector.register(heard, selectors.EVENT_READ, heard)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            heard.close()
            noted.close()
