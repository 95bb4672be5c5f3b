"""A locale that knows ASCII alone: names in any script are trained, published, listed, served and logged."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from PIL import Image

from adapters.store.store import Store
from adapters.vit.backbone import EMBEDDED_BACKBONE
from tests.support.pictures import write_picture
from tests.support.server import running, start_server

CLASSES = ("кот", "قطة", "猫")
STRICT = {
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONIOENCODING": "ascii",
    "OMP_NUM_THREADS": "1",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for split in ("train", "test"):
        for index, name in enumerate(CLASSES):
            for number in range(2):
                picture = Image.new("RGB", (64, 64), (100 * index, 40 * number, 0))
                write_picture(tmp_path / "größe" / split / name / f"é{number}.png", picture)
    return tmp_path / "größe"


def run(module: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, env=os.environ | STRICT, capture_output=True, check=False, timeout=240)


def test_a_task_goes_all_its_way(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "store"
    runs = tmp_path / "läufe"
    trained = run(
        "training.cli", f"--data={folder}", "--task=cats", f"--store={store}", f"--runs={runs}",
        f"--backbone={EMBEDDED_BACKBONE}", "--epochs=1", "--prompt-count=2", "--device=cpu",
        f"--predictions={tmp_path / 'ergebnis ü.csv'}",
    )  # fmt: skip
    assert trained.returncode == 0, trained.stderr.decode()
    assert "猫/é0.png" in (tmp_path / "ergebnis ü.csv").read_text(encoding="utf-8")
    (kept,) = runs.iterdir()
    assert "| 猫 |" in (kept / "README.md").read_text(encoding="utf-8")
    assert f"--data={folder}" in Store.open(store).config("cats", 1).provenance["command"]
    repeated = run("training.cli", f"--config={kept / 'config.toml'}", "--no-publish")
    assert repeated.returncode == 0, repeated.stderr.decode()
    assert b"resuming" in repeated.stderr
    assert Store.open(store).config("cats", 1).classes == CLASSES

    shown = run("adapters.command.cli", "show", "cats", f"--store={store}")
    assert shown.returncode == 0, shown.stderr.decode()
    assert rb"\u732b" in shown.stdout

    for name, value in STRICT.items():
        monkeypatch.setenv(name, value)
    with running(start_server([f"--store={store}"])) as server:
        assert httpx.get(f"{server.url}/v1/tasks/cats").json()["classes"] == list(CLASSES)
        assert httpx.get(f"{server.url}/v1/tasks/猫").status_code == 404
        server.wait_logged(r"request_failed id=\w+ method=GET status=404 task=\"\\u732b\"")
        assert server.stop() == 0
    assert "Traceback" not in "".join(server.log)
    assert "Logging error" not in "".join(server.log)
