"""A service in a process of its own, for as long as a benchmark asks it."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common.http_load import ready

END_WITHIN_S = 60


@dataclass(frozen=True)
class Running:
    """A service that is ready: its process, how long that took, and what it has logged so far."""

    pid: int
    ready_ms: float
    log: list[str]


@contextmanager
def running(
    module: str, store: Path, port: int, *flags: object, tree: Path | None = None
) -> Iterator[Running]:
    """`python -m <module> --store … --port …` with more flags, from ready until it and its children ended.

    It runs from the files of `tree`, or from these.
    """
    command = [sys.executable, "-m", module, "--store", str(store), "--port", str(port), *map(str, flags)]
    with socket.create_server(("127.0.0.1", port)):
        pass  # another's answers must not be taken for those of this service
    began = time.monotonic()
    environment = None if tree is None else environment_of(tree)
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True, cwd=tree, env=environment
    ) as process:
        log: list[str] = []
        reader = threading.Thread(target=lambda: log.extend(process.stderr or ()), daemon=True)
        reader.start()
        try:
            asyncio.run(ready(port, process.poll))
            yield Running(process.pid, 1000 * (time.monotonic() - began), log)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(END_WITHIN_S)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # a child that outlives it would hold the pipe
            process.wait()
            reader.join()


def as_flags(settings: Mapping[str, object]) -> list[object]:
    """Settings by name as flags of `dvpt-serve`; None and False are left out."""
    words: list[object] = []
    for name, value in settings.items():
        if value is not None and value is not False:
            words += [f"--{name.replace('_', '-')}", *([] if value is True else [value])]
    return words


def environment_of(tree: Path) -> dict[str, str]:
    """The environment in which Python imports this project from `tree`."""
    return os.environ | {"PYTHONPATH": str(tree)}
