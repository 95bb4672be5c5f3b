"""Parts of the benchmark for a GPU: what becomes of those that fail or come too late."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import gpu
from benchmarks.gpu import Part, done_before, outcome, run

SLOW = """
import pathlib, subprocess, sys, time
service = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)
try:
    pathlib.Path({marker!r}).write_text(str(service.pid))
    time.sleep(300)
finally:
    service.kill()
    service.wait()
    print("ended its service")
"""


@pytest.fixture(autouse=True)
def interrupts_work() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores them
    yield
    signal.signal(signal.SIGINT, before)


def python(script: str) -> list[str]:
    return [sys.executable, "-c", script]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("print('figures')", ("done", "figures\n")),
        ("import sys; print('why'); sys.exit(3)", ("failed with 3", "why\n")),
    ],
)
def test_the_state_and_output_of_a_part_are_told(script: str, expected: tuple[str, str]) -> None:
    assert outcome(python(script), dict(os.environ), 60) == expected


def test_what_was_done_is_not_done_again_by_the_same_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "PARTS", tmp_path)
    good, bad = Part("a part, done", ["json.tool", "--help"], 60), Part("bad", ["no.such.module"], 60)
    assert done_before(good) is None

    outcome, _ = run(good, 60), run(bad, 60)

    assert outcome["state"] == "done"
    assert done_before(good) == outcome
    assert done_before(Part(good.name, ["json.tool", "-h"], 60)) is None
    assert done_before(bad) is None


@pytest.mark.slow
def test_a_part_that_takes_too_long_ends_what_it_started(tmp_path: Path) -> None:
    marker = tmp_path / "pid"

    state, output = outcome(python(SLOW.format(marker=str(marker))), dict(os.environ), 5)

    assert state == "stopped after 5 s"
    assert "ended its service" in output
    assert not Path(f"/proc/{marker.read_text()}").exists()


@pytest.mark.slow
def test_no_part_goes_on_alone(tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    script = (
        "import os, signal, sys\nfrom benchmarks.gpu import outcome\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))\n"
        f"outcome([sys.executable, '-c', {SLOW.format(marker=str(marker))!r}], dict(os.environ), 200)\n"
    )
    with subprocess.Popen(python(script)) as process:
        while not (marker.exists() and marker.read_text()):
            assert process.poll() is None
            time.sleep(0.05)
        process.terminate()

    assert process.returncode == 1
    assert not Path(f"/proc/{marker.read_text()}").exists()
