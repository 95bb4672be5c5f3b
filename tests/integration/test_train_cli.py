"""Real `dvpt-train` processes: killed and resumed, refused without a traceback, learning real handwriting."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import torch
from safetensors.torch import load_file

from adapters.command.cli import main as classify
from adapters.pictures.preprocess import read_pixels
from adapters.store.artifact import adapter_of
from adapters.store.store import Store
from adapters.vit.backbone import EMBEDDED_BACKBONE, load_backbone
from tests.support.pictures import write_picture
from tests.support.server import Server, running, start_server
from tests.support.waiting import wait_until
from training.data.embedded import load_embedded

START_TIMEOUT_S = 200.0
# One thread: the order of a sum, and so its last bit, follows the number of threads.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def handwriting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ImageFolder of real digits: 12 of each class to train on, 6 to test."""
    root = tmp_path_factory.mktemp("handwriting")
    for split, count in (("train", 12), ("test", 6)):
        left = dict.fromkeys(range(10), count)
        for picture, label in zip(
            *load_embedded("digits", "train" if split == "train" else "test"), strict=True
        ):
            if left[label]:
                left[label] -= 1
                write_picture(root / split / f"digit {label}" / f"{left[label]}.png", picture)
    return root


def command(place: Path, data: Path, *options: str) -> list[str]:
    return [
        sys.executable, "-m", "training.cli", "--task", "handwriting", "--data", str(data),
        "--backbone", EMBEDDED_BACKBONE, "--store", str(place / "store"), "--runs", str(place / "runs"),
        "--prompt-count", "2", "--device", "cpu", "--lr", "0.01", *options,
    ]  # fmt: skip


def train(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def epochs_done(place: Path) -> int:
    tables = list((place / "runs").glob("*/metrics.csv"))
    return len(tables[0].read_text().splitlines()) - 1 if tables else 0


def checkpoint_tensors(place: Path) -> dict[str, torch.Tensor]:
    (path,) = (place / "runs").glob("*/checkpoint.safetensors")
    return load_file(path)


def interrupt(arguments: list[str], place: Path, sign: signal.Signals) -> int:
    """Start the process, send the signal after its second epoch, and return its exit code."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    process = subprocess.Popen(arguments, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    signal.signal(signal.SIGINT, before)
    deadline = time.monotonic() + START_TIMEOUT_S
    while epochs_done(place) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(sign)
    _, error = process.communicate()
    assert b"Traceback" not in error
    return process.returncode


def test_a_killed_run_resumes_to_the_same_tensors(tmp_path: Path, handwriting: Path) -> None:
    """SIGKILL, then SIGINT, then to the end: bit for bit what an undisturbed run gives."""
    options = ("--epochs", "9", "--prompt-dropout", "0.2", "--no-publish")
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    finished = train(command(whole, handwriting, *options))
    assert finished.returncode == 0, finished.stderr
    assert interrupt(command(broken, handwriting, *options), broken, signal.SIGKILL) == -signal.SIGKILL
    killed_after = epochs_done(broken)
    assert 2 <= killed_after < 9
    resumed = train(command(broken, handwriting, *options))
    assert resumed.returncode == 0, resumed.stderr
    assert f"{killed_after} of 9 epochs are trained" in resumed.stderr
    expected, tensors = checkpoint_tensors(whole), checkpoint_tensors(broken)
    assert expected.keys() == tensors.keys()
    assert all(torch.equal(expected[name], tensors[name]) for name in expected)


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_says_how_to_go_on(
    sign: signal.Signals, code: int, tmp_path: Path, handwriting: Path
) -> None:
    assert interrupt(command(tmp_path, handwriting, "--epochs", "50"), tmp_path, sign) == code
    assert 2 <= epochs_done(tmp_path) < 50
    assert not (tmp_path / "store").exists()


def test_it_learns_real_handwriting_and_publishes(
    tmp_path: Path, handwriting: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finished = train(command(tmp_path, handwriting, "--epochs", "8"))
    assert finished.returncode == 0, finished.stderr
    store = Store.open(tmp_path / "store")
    config = store.config("handwriting", store.resolve("handwriting"))
    accuracy = config.provenance["metrics"]["accuracy"]
    assert accuracy > 0.4, finished.stdout  # chance is 0.1
    assert f"accuracy on test: {accuracy:.4f}" in finished.stdout
    assert config.classes[0] == "digit 0"
    assert set(store.card("handwriting", 1)) >= {"README.md", "confusion-matrix.png"}

    (advice,) = [line for line in finished.stdout.splitlines() if line.startswith("try it: dvpt-adapters ")]
    picture = handwriting / "test" / "digit 0" / "0.png"
    assert classify(shlex.split(advice.replace("PICTURE", shlex.quote(str(picture))))[3:]) == 0
    assert "digit" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        (("--backbone", "resnet18"), 1, "not a plain VisionTransformer"),
        (("--epochs", "-1"), 2, "argument --epochs"),
    ],
)
def test_a_refusal_is_short(
    tmp_path: Path, handwriting: Path, options: tuple[str, ...], code: int, complaint: str
) -> None:
    refused = train(command(tmp_path, handwriting, *options))
    assert refused.returncode == code
    assert complaint in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """An empty store of the embedded backbone."""
    return Store.create(tmp_path_factory.mktemp("served") / "store", load_backbone(EMBEDDED_BACKBONE).config)


@pytest.fixture(scope="module")
def server(store: Store) -> Iterator[Server]:
    """A service that is there before anything is published."""
    with running(start_server([f"--store={store.url}"])) as started:
        yield started


@pytest.mark.parametrize("method", ["affine", "bottleneck", "dvpt-plus", "dvpt-wide", "bias"])
def test_what_a_method_publishes_answers_in_a_running_service(
    tmp_path: Path, handwriting: Path, store: Store, server: Server, method: str
) -> None:
    options = ("--method", method, "--name", method, "--epochs", "3", "--store", str(store.url))
    finished = train([*command(tmp_path, handwriting), *options])
    assert finished.returncode == 0, finished.stderr
    picture = handwriting / "test" / "digit 3" / "0.png"

    with httpx.Client(base_url=server.url, timeout=60.0, headers={"Content-Type": "image/png"}) as client:
        wait_until(lambda: client.get(f"/v1/tasks/{method}").is_success, "the service knows the task")
        found = client.post(f"/v1/tasks/{method}/classify?top_k=10", content=picture.read_bytes())

    assert found.status_code == 200, found.text
    artifact, backbone = store.load(method, 1), load_backbone(EMBEDDED_BACKBONE)
    image = read_pixels(picture, artifact.config.preprocess, backbone.config.image_size)
    expected = adapter_of(artifact, backbone.config)(backbone, image[None]).softmax(-1)[0]
    for answer in found.json()["predictions"][0]["classes"]:
        assert answer["probability"] == pytest.approx(expected[answer["index"]].item(), abs=1e-3)
