"""A service in a process of its own, for as long as a benchmark asks it."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.http_load import ready


@dataclass(frozen=True)
class Running:
    """A service that is ready: its process, how long that took, and what it has logged so far."""

    pid: int
    ready_ms: float
    log: list[str]


@contextmanager
def running(module: str, store: Path, port: int, *flags: object) -> Iterator[Running]:
    """`python -m <module> --store … --port …` with more flags, from ready to its end."""
    command = [sys.executable, "-m", module, "--store", str(store), "--port", str(port), *map(str, flags)]
    began = time.monotonic()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        log: list[str] = []
        reader = threading.Thread(target=lambda: log.extend(process.stderr or ()), daemon=True)
        reader.start()
        try:
            asyncio.run(ready(port))
            yield Running(process.pid, 1000 * (time.monotonic() - began), log)
        finally:
            process.terminate()
            process.wait()
            reader.join()
