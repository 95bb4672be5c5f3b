"""A real `dvpt-serve` process on a free loopback port, its log and its metrics."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import httpx

START_TIMEOUT_S = 240.0
STOP_TIMEOUT_S = 60.0
COMMAND = (sys.executable, "-m", "service.cli")
RAY_COMMAND = (sys.executable, "-m", "tests.support.ray_serve")
LISTENING = re.compile(r" listening host=\S+ port=(\d+)")
REPLICA = re.compile(r'(?<=\{)replica="[^"]*",?|,replica="[^"]*"')
PROCESS = re.compile(r"ServeReplica:\S+ pid=(?P<replica>\d+)\)|\bworker=(?P<worker>\d+)$")
SAMPLE = re.compile(r"^(\w+)(\{.*\})? (\S+)$", re.MULTILINE)


def process_of(line: str) -> str:
    """Which of several processes wrote a line of the log: a worker's number, or a replica's process id."""
    found = PROCESS.search(line.rstrip())
    assert found, line
    return found["replica"] or found["worker"]


class Server:
    """One server process, whose standard error is piped: its address, its log so far, its metrics."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.log: list[str] = []
        self.port = 0
        self._listening, self._ready = threading.Event(), threading.Event()
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_listening(self) -> None:
        self._wait(self._listening)

    def wait_ready(self) -> None:
        self._wait(self._ready)

    def wait_logged(self, pattern: str, timeout_s: float = STOP_TIMEOUT_S) -> str:
        """The first line that matches, once it is there."""
        for _ in range(int(timeout_s / 0.02)):
            for line in list(self.log):
                if re.search(pattern, line):
                    return line
            self.process.poll()
            threading.Event().wait(0.02)
        raise AssertionError(f"no line like {pattern!r} in:\n{''.join(self.log)}")

    def metrics(self) -> dict[str, float]:
        """Every sample by its name with labels, as `/metrics` writes it; the sum over replicas, if any."""
        text = REPLICA.sub("", httpx.get(f"{self.url}/metrics").raise_for_status().text).replace("{}", "")
        samples: dict[str, float] = {}
        for name, labels, value in SAMPLE.findall(text):
            samples[name + labels] = samples.get(name + labels, 0.0) + float(value)
        return samples

    def stop(self, sent: signal.Signals = signal.SIGTERM) -> int:
        """Signal the process and wait for its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(sent)
        return self.process.wait(STOP_TIMEOUT_S)

    def end(self) -> None:
        """Leave nothing behind, however the test went."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        if self.process.stderr is not None:
            self.process.stderr.close()

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)
            if found := LISTENING.search(line):
                self.port = int(found.group(1))
                self._listening.set()
            if " service.lifecycle ready " in line:
                self._ready.set()
        self.process.wait()  # it closes its log a moment before it is gone
        self._listening.set()
        self._ready.set()

    def _wait(self, event: threading.Event) -> None:
        assert event.wait(START_TIMEOUT_S), "".join(self.log)
        assert self.process.poll() is None, "".join(self.log)


Start = Callable[..., Server]
Serve = Callable[..., AbstractContextManager[Server]]


def start_server(flags: Sequence[str], command: Sequence[str] = COMMAND) -> Server:
    """Start a service with one thread of torch, in float32, looking at its store often; the caller ends it.

    `command` is another program that serves, or the same with something before it.
    """
    looks = ["--watch-interval-s=0.05", "--whole-look-interval-s=0.05"]
    base = ["--port=0", "--precision=fp32", "--device=cpu", "--torch-threads=1", *looks]
    return Server(
        subprocess.Popen(
            [*command, *base, *flags],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    )


@contextmanager
def running(server: Server, *, ready: bool = True) -> Iterator[Server]:
    """A started server until the block ends, once it listens and, unless told otherwise, is ready."""
    try:
        server.wait_listening()
        if ready:
            server.wait_ready()
        yield server
    finally:
        server.end()
