"""`dvpt-adapters classify` answers as the reference forward, and goes on past unreadable pictures."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from adapters.config import PreprocessConfig
from adapters.kinds.dvpt.options import DvptOptions
from adapters.pictures.preprocess import read_pixels
from adapters.store.artifact import adapter_of
from adapters.store.store import Store
from adapters.vit.backbone import random_backbone
from tests.support.artifacts import random_artifact
from tests.support.backbones import save_weights

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of a random ViT of the embedded shape, as a user gives them."""
    return save_weights(random_backbone(seed=3), tmp_path_factory.mktemp("weights") / "vit.safetensors")


def test_classify_answers_as_the_reference_forward(tmp_path: Path, weights: Path, run: Run) -> None:
    backbone = random_backbone(seed=3)
    artifact = random_artifact(
        backbone.config,
        DvptOptions(count=2),
        ["ash", "birch", "cedar", "oak"],
        preprocess=PreprocessConfig(fit="crop", interpolation="bilinear"),
    )
    store = Store.create(tmp_path / "store", backbone.config)
    store.publish("trees", artifact)
    picture, grey = tmp_path / "tree.png", tmp_path / "grey.jpg"
    Image.effect_noise((90, 70), 80).convert("RGB").save(picture)
    Image.linear_gradient("L").save(grey)
    damaged = tmp_path / "damaged.jpg"
    damaged.write_bytes(grey.read_bytes()[:200])
    arguments = ["--store", store.url, "--weights", weights]

    def expected(path: Path) -> str:
        pixels = read_pixels(path, artifact.config.preprocess, 64)
        logits = adapter_of(artifact, backbone.config)(backbone, pixels[None])[0]
        ranking = sorted(zip(logits.softmax(0).tolist(), artifact.config.classes, strict=True), reverse=True)
        return f"{path}: " + ", ".join(f"{name} {probability:.4f}" for probability, name in ranking[:2])

    code, out, err = run("classify", "trees", picture, damaged, grey, "missing.png", "--top-k", 2, *arguments)
    assert code == 1
    assert out.splitlines() == [expected(picture), expected(grey)]
    assert [line.split(": ")[1] for line in err.splitlines()] == [str(damaged), "missing.png"]
    code, out, err = run("classify", "trees", picture, "--top-k", 99, *arguments)
    assert (code, err) == (0, "")
    assert sorted(part.split()[0] for part in out.partition(": ")[2].split(", ")) == [
        "ash",
        "birch",
        "cedar",
        "oak",
    ]


def test_classify_refuses_other_weights(tmp_path: Path, weights: Path, run: Run) -> None:
    backbone = random_backbone(seed=4)
    store = Store.create(tmp_path / "store", backbone.config)
    store.publish("trees", random_artifact(backbone.config, DvptOptions(count=2), ["a", "b"]))
    code, out, err = run("classify", "trees", "x.png", "--store", store.url, "--weights", weights)
    assert (code, out) == (1, "")
    assert "but this store belongs to" in err
    code, _, err = run("classify", "trees", "x.png", "--store", store.url, "--weights", "none.safetensors")
    assert (code, err) == (1, "dvpt-adapters: no weights at none.safetensors\n")
