"""The README's commands run as they stand, in order, in a fresh copy of what is checked in."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import pytest

from service.settings import Settings
from tests.support.processes import free_port
from tests.support.server import Server

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^```sh( background)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ADDRESS = f"127.0.0.1:{Settings.model_fields['port'].default}"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A fresh clone with the virtual environment that `make install` would make, and nothing else."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tmp_path / name)
    (tmp_path / ".venv").unlink(missing_ok=True)
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parents[1])
    return tmp_path


@pytest.mark.timeout(1200)  # it trains as the README says, at whatever pace the machine has
def test_the_readme_runs(clone: Path) -> None:
    blocks = [(bool(background), script) for background, script in BLOCK.findall(README)]
    assert [background for background, _ in blocks] == [False, True, False, False]
    outputs = []
    with Terminal(clone) as terminal:
        for background, script in blocks:
            if background:
                terminal.start(script)
            else:
                outputs.append(terminal.run(script))
    trained, asked, managed = outputs
    assert "published: digits version 1 in stores/embedded" in trained
    listed, one, two = [json.loads(line) for line in asked.splitlines() if line.startswith("{")]
    assert [task["task"] for task in listed["tasks"]] == ["digits"]
    assert _labels(one) == ["3"]
    assert len(one["predictions"][0]["classes"]) == 3
    assert _labels(two) == ["3", "7"]
    assert "stable=1" in managed
    assert "pictures/digits/3.png: 3 " in managed


def _labels(answer: dict[str, Any]) -> list[str]:
    return [picture["classes"][0]["label"] for picture in answer["predictions"]]


class Terminal:
    """Runs blocks of the README in one folder; the only change is the port, which may be taken here."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        port = free_port()
        self._address = f"127.0.0.1:{port}"
        # One thread each: the tests may share the machine with others, and threads that wait starve.
        self._environment = {**os.environ, "DVPT_PORT": str(port), "OMP_NUM_THREADS": "1"}
        self._started: list[Server] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._started:
            server.stop()
            server.end()

    def run(self, script: str) -> str:
        """What a block prints, which must succeed line by line."""
        command = ["bash", "-euo", "pipefail", "-c", script.replace(ADDRESS, self._address)]
        result = subprocess.run(
            command, cwd=self._folder, env=self._environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    def start(self, script: str) -> None:
        """Start a block that goes on, and wait until the service in it is ready."""
        command = ["bash", "-c", f"exec {script}"]
        process = subprocess.Popen(
            command, cwd=self._folder, env=self._environment, stderr=subprocess.PIPE, text=True
        )
        server = Server(process)
        self._started.append(server)
        server.wait_ready()
