"""OpenMP says itself what it was told: the commands set how threads wait before torch is imported."""

import os
import subprocess
import sys

import pytest

from adapters.threads import WAITING

COMMANDS = {
    "training.cli": ["--task=x", "--data=/nowhere", "--backbone=resnet18"],
    "training.reproduce.cli": ["table1", "--tasks=dmlab", "--data-root=/nowhere", "--dry-run"],
    "service.cli": ["--store=/nowhere", "--backbone=resnet18"],
}


@pytest.mark.parametrize("module", COMMANDS)
@pytest.mark.parametrize(
    ("own", "told"),
    [({}, ["OMP_WAIT_POLICY = 'PASSIVE'", "GOMP_SPINCOUNT = '2000'"]), (
        {"OMP_WAIT_POLICY": "ACTIVE"}, ["OMP_WAIT_POLICY = 'ACTIVE'"])],
)  # fmt: skip
def test_commands_have_threads_wait_briefly(module: str, own: dict[str, str], told: list[str]) -> None:
    environ = {name: value for name, value in os.environ.items() if name not in WAITING}
    ended = subprocess.run(
        [sys.executable, "-m", module, *COMMANDS[module]],
        env=environ | {"OMP_DISPLAY_ENV": "VERBOSE"} | own,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    if "OMP_WAIT_POLICY" not in ended.stderr:
        pytest.skip("torch brings another OpenMP than libgomp")
    assert all(line in ended.stderr for line in told), ended.stderr
