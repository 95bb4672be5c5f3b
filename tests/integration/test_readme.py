"""The README's commands run as they stand, in order, in a folder of their own."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from training.data.embedded import load_embedded

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^```sh( background)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A clone's surroundings: the virtual environment under its usual name and two pictures to ask about."""
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parents[1])
    pictures, labels = load_embedded("digits", "test")
    for name, digit in {"three": 3, "seven": 7}.items():
        pictures[labels.index(digit)].save(tmp_path / f"{name}.png")
    return tmp_path


@pytest.mark.timeout(1200)  # it trains as the README says, at whatever pace the machine has
def test_the_readme_runs(folder: Path) -> None:
    blocks = [(bool(background), script) for background, script in BLOCK.findall(README)]
    assert len(blocks) == 4
    outputs = []
    with _services(folder) as start:
        for background, script in blocks:
            if background:
                start(script)
            else:
                outputs.append(_run(script, folder))
    trained, asked, managed = outputs
    assert "published" in trained
    assert asked.count('"task":"digits"') >= 2
    assert '"label":"3"' in asked
    assert "stable" in managed


def test_every_document_the_readme_links_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def _run(script: str, folder: Path) -> str:
    command = ["bash", "-euo", "pipefail", "-c", script]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


@contextmanager
def _services(folder: Path) -> Iterator["Start"]:
    started: list[subprocess.Popen[bytes]] = []
    try:
        yield Start(folder, started)
    finally:
        for process in started:
            process.terminate()
            process.wait(timeout=60)


class Start:
    """Starts a block in the background and waits until the service in it is ready."""

    def __init__(self, folder: Path, started: list[subprocess.Popen[bytes]]) -> None:
        self._folder = folder
        self._started = started

    def __call__(self, script: str) -> None:
        environment = {**os.environ, "DVPT_TORCH_THREADS": "1"}
        self._started.append(
            subprocess.Popen(["bash", "-c", f"exec {script}"], cwd=self._folder, env=environment)
        )
        for _ in range(300):
            try:
                if httpx.get("http://127.0.0.1:8000/readyz").status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)
        pytest.fail("the service of the README was not ready within a minute")
