"""`dvpt-adapters export --onnx` writes a model that answers as the adapter and says how to use it."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from adapters.command import onnx_export
from adapters.command.onnx_export import write_model
from adapters.errors import ExportFailed, StoreConflict
from adapters.kinds.affine.options import AffineOptions
from adapters.kinds.bottleneck.options import BottleneckOptions
from adapters.kinds.combined.options import CombinedOptions
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.options import KindOptions
from adapters.pictures.preprocess import read_pixels
from adapters.store.artifact import adapter_of
from adapters.store.store import Store
from adapters.vit.backbone import Backbone
from tests.support.artifacts import MakeArtifact
from tests.support.pictures import pixels

DOCS = Path(__file__).resolve().parents[4] / "docs/onnx.md"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def trees(
    store: Store, make_artifact: MakeArtifact, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> Store:
    """A store with two versions of `digits`, opened with its own tiny backbone."""
    for count in (1, 3):
        options = DvptOptions(count=count, meta_net="specific", dynamic_layers="all")
        store.publish("digits", make_artifact(options, head_layers=2))
    monkeypatch.setenv("DVPT_STORE", f"{store.url}\n")
    monkeypatch.setattr("adapters.command.import_export.open_backbone", lambda *_, **__: backbone)
    return store


@pytest.mark.slow
def test_the_model_answers_as_the_adapter(
    trees: Store, backbone: Backbone, tmp_path: Path, store_folder: Path, run: Run
) -> None:
    file = tmp_path / "digits.onnx"

    answer = run("export", "--onnx", "digits", file, "--version", 1)

    assert answer == (0, f"wrote digits version 1 to {file}\n", "")
    assert [path for path in tmp_path.iterdir() if path != store_folder] == [file]
    session = open_session(file)
    adapter = adapter_of(trees.load("digits", 1), backbone.config)
    for batch in (1, 5):
        images = pixels(batch)
        (found,) = session.run(None, {"images": images.numpy()})
        np.testing.assert_allclose(found, adapter(backbone, images).softmax(-1).numpy(), atol=1e-4)
    facts = session.get_modelmeta().custom_metadata_map
    config = trees.config("digits", 1)
    assert json.loads(facts["classes"]) == list(config.classes)
    assert json.loads(facts["preprocess"]) == config.preprocess.model_dump(mode="json")
    assert (facts["task"], facts["version"]) == ("digits", "1")
    assert facts["tensors_sha256"] == config.tensors_sha256
    assert str(Path(torch.__file__).parent).encode() not in file.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [AffineOptions(), AffineOptions(biases=True), BottleneckOptions(), CombinedOptions()],
    ids=["affine", "every bias", "bottleneck", "combined"],
)
def test_the_model_of_every_kind_answers_as_the_adapter(
    store: Store, make_artifact: MakeArtifact, backbone: Backbone, tmp_path: Path, options: KindOptions
) -> None:
    artifact, file = make_artifact(options, dtype=torch.float32), tmp_path / "kind.onnx"

    write_model(artifact, backbone, file, task="kind", version=1)

    images = pixels(3)
    (found,) = open_session(file).run(None, {"images": images.numpy()})
    expected = adapter_of(artifact, store.backbone)(backbone, images).softmax(-1)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)


@pytest.mark.slow
def test_the_documented_snippet_runs(trees: Store, backbone: Backbone, tmp_path: Path, run: Run) -> None:
    assert run("export", "--onnx", "digits", tmp_path / "digits.onnx")[0] == 0
    picture = Image.fromarray(np.random.default_rng(7).integers(80, 176, (40, 50, 3), dtype=np.uint8))
    picture.save(tmp_path / "three.png")
    found = re.search(r"^```python\n(.*?)^```\n\nwith `(.*?)` and `(.*?)`", DOCS.read_text(), re.M | re.S)
    assert found is not None
    code, *imports = found.groups()

    result = subprocess.run(
        [sys.executable, "-c", "\n".join([*imports, code])],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )

    artifact = trees.load("digits", 2)
    adapter = adapter_of(artifact, backbone.config)
    resized = np.array(picture.resize((32, 32), Image.Resampling.BICUBIC))
    by_pillow = torch.from_numpy(resized).permute(2, 0, 1)
    as_served = read_pixels(tmp_path / "three.png", artifact.config.preprocess, 32)
    same, served = adapter(backbone, torch.stack([by_pillow, as_served])).softmax(-1)
    name, _, probability = result.stdout.strip().rpartition(" ")
    assert name == artifact.config.classes[int(same.argmax())]
    assert float(probability) == pytest.approx(float(same.max()), abs=1e-4)
    # The service resizes with torch, which rounds some pixels to another level.
    assert float(probability) == pytest.approx(float(served.max()), abs=1e-2)
    assert len(code.splitlines()) <= 6


@pytest.mark.usefixtures("trees")
def test_nothing_is_overwritten(tmp_path: Path, run: Run) -> None:
    file = tmp_path / "mine"
    file.write_text("mine")

    code, _, err = run("export", "--onnx", "digits", file)

    assert (code, err) == (1, f"dvpt-adapters: {file} is there already\n")
    assert file.read_text() == "mine"


@pytest.mark.slow
def test_a_model_that_answers_otherwise_is_not_left_behind(
    trees: Store, backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_export, "TOLERANCE", -1.0)
    folder = tmp_path / "out"
    folder.mkdir()

    with pytest.raises(ExportFailed, match="differ by"):
        write_model(trees.load("digits", 1), backbone, folder / "x.onnx", task="digits", version=1)
    assert list(folder.iterdir()) == []
    with pytest.raises(StoreConflict):
        write_model(trees.load("digits", 1), backbone, folder, task="digits", version=1)


def open_session(path: Path) -> Any:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
