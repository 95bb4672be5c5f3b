"""Other processes that a test holds in a certain state."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def holding(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A Python process that has said `held` and then waits for its input to end, or to be killed."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


def free_port() -> int:
    """A port of the loopback that nobody listens on, for programs that cannot choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
