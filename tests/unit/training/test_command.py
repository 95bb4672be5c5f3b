import os
import signal

import pytest

from adapters.errors import ConfigError
from training.command import OUT_OF_MEMORY, run_command


def run(work: object) -> int:
    def do() -> str:
        if isinstance(work, BaseException):
            raise work
        if isinstance(work, signal.Signals):
            os.kill(os.getpid(), work)
        return str(work)

    return run_command("prog", do, "interrupted; go on")


@pytest.mark.parametrize(
    ("work", "code", "error"),
    [
        ("done", 0, ""),
        (ConfigError("no"), 1, "prog: no\n"),
        (PermissionError(13, "Permission denied", "/x"), 1, "prog: /x: Permission denied\n"),
        (MemoryError(), 1, f"prog: {OUT_OF_MEMORY}\n"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 1, f"prog: {OUT_OF_MEMORY}\n"),
        (KeyboardInterrupt(), 130, "prog: interrupted; go on\n"),
        (signal.SIGTERM, 143, "prog: interrupted; go on\n"),
    ],
)
def test_every_end_is_one_line_and_a_code(
    work: object, code: int, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGTERM)

    assert run(work) == code
    assert capsys.readouterr() == ("done\n" if not code else "", error)
    assert signal.getsignal(signal.SIGTERM) is before
