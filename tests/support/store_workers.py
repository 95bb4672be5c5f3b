"""tests/integration/store_worker.py, whose processes change a store."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TREE = Path(__file__).parents[2]
WORKER = TREE / "tests" / "integration" / "store_worker.py"


class Worker:
    """Runs one command at a time in processes of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._input, self._output = process.stdin, process.stdout

    def start(self, *command: object) -> None:
        self._input.write(
            json.dumps([part if isinstance(part, int) else str(part) for part in command]) + "\n"
        )
        self._input.flush()

    def running(self) -> bool:
        return not select.select([self._output], [], [], 0)[0]

    def exit_code(self) -> int:
        return int(self._output.readline())


@contextmanager
def store_worker() -> Iterator[Worker]:
    """The worker until the block ends."""
    environment = {**os.environ, "PYTHONPATH": str(TREE)}
    with subprocess.Popen(
        [sys.executable, str(WORKER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        yield Worker(process)
