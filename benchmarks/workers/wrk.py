"""Load by `wrk`, whose cost is small beside the service's: prepared requests, sent as they are."""

import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common.http_load import Ask

TIMEOUT = "30s"
SCRIPT = """
local requests, n = {}, 0
function init(args)
  for i = 1, tonumber(args[2]) do
    local file = io.open(args[1] .. "/" .. i, "rb")
    requests[i] = file:read("*a")
    file:close()
  end
end
function request()
  n = n % #requests + 1
  return requests[n]
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('{"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "connect": %d, ' ..
    '"broken": %d, "status": %d, "late": %d}', summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect, e.read + e.write, e.status, e.timeout))
end
"""


@dataclass(frozen=True)
class Answered:
    """What one run of `wrk` saw, and how many requests failed in which way."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    connect: int
    broken: int
    status: int
    late: int

    @property
    def failed(self) -> int:
        """All that were not answered well."""
        return self.connect + self.broken + self.status + self.late


class Wrk:
    """Sends the same requests in turn, over so many kept connections, from one thread."""

    def __init__(self, folder: Path, asks: Sequence[Ask], before: Sequence[str] = ()) -> None:
        self._before = before
        self._folder = folder
        self._count = len(asks)
        (folder / "ask.lua").write_text(SCRIPT)
        for number, ask in enumerate(asks, 1):
            (folder / str(number)).write_bytes(ask.head_and_body)

    def run(self, port: int, connections: int, seconds: float) -> Answered:
        """Ask for so long. Raises RuntimeError where a request failed."""
        lasting = f"{max(1, round(seconds))}s"
        command = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{lasting}",
            f"--timeout={TIMEOUT}",
            "-s",
            str(self._folder / "ask.lua"),
        ]
        command += [f"http://127.0.0.1:{port}/", "--", str(self._folder), str(self._count)]
        output = subprocess.run(
            [*self._before, *command],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        answered = Answered(**json.loads(output[output.index("{") :]))
        if answered.failed:
            raise RuntimeError(f"requests failed: {answered}")
        return answered


@contextmanager
def prepared(asks: Sequence[Ask], before: Sequence[str] = ()) -> Iterator[Wrk]:
    """The requests as files, until the block ends; `before` stands before the command."""
    with tempfile.TemporaryDirectory() as folder:
        yield Wrk(Path(folder), asks, before)
