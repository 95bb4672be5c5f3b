import os
import signal

import pytest

from adapters.errors import ConfigError
from training.command import run_command
from training.memory import ADVICE


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
        (MemoryError(), 1, f"prog: out of memory; {ADVICE}\n"),
        (
            RuntimeError(
                "DefaultCPUAllocator: can't allocate memory: you tried to allocate 5368709120 bytes."
            ),
            1,
            f"prog: out of memory: 5.00 GiB more were needed; {ADVICE}\n",
        ),
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


@pytest.mark.parametrize(
    ("variables", "works"),
    [
        ({"RANK": "0", "WORLD_SIZE": "4"}, True),
        ({"RANK": "3", "WORLD_SIZE": "4"}, False),
        ({"RANK": "1", "WORLD_SIZE": "1"}, True),
        ({"RANK": "1"}, True),
        ({"RANK": "x", "WORLD_SIZE": "4"}, True),
    ],
)
def test_one_of_the_processes_of_a_launcher_works(
    variables: dict[str, str],
    works: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert run("done") == 0
    out, error = capsys.readouterr()
    assert out == ("done\n" if works else "")
    assert ("nothing to do for rank 3 of 4" in error) is not works


def test_errors_that_are_not_of_memory_pass() -> None:
    with pytest.raises(RuntimeError, match="shape"):
        run(RuntimeError("shape"))
