"""A server with one task, photographs to ask it about, and what `/v1` answers to them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from adapters.config import PreprocessConfig
from adapters.pictures.preprocess import to_pixels
from adapters.store.artifact import Artifact
from adapters.store.store import Store
from adapters.vit.backbone import Backbone
from tests.support.artifacts import MakeArtifact
from tests.support.server import Serve, Server

CLASSES = 5


@pytest.fixture(scope="module")
def files(data_root: Path) -> list[Path]:
    """A photograph of each of five flowers."""
    folders = sorted(path for path in (data_root / "imagefolder/flowers5/test").iterdir() if path.is_dir())
    return [min(folder.iterdir()) for folder in folders]


@pytest.fixture(scope="module")
def pictures(files: Sequence[Path]) -> list[bytes]:
    return [file.read_bytes() for file in files]


@pytest.fixture(scope="module")
def artifact(make_artifact: MakeArtifact) -> Artifact:
    return make_artifact(1, class_count=CLASSES, preprocess=PreprocessConfig(interpolation="bilinear"))


@pytest.fixture(scope="module")
def server(module_store: Store, artifact: Artifact, serve: Serve) -> Iterator[Server]:
    """Serves that artifact as the task `flowers`."""
    module_store.publish("flowers", artifact)
    with serve(module_store) as server:
        yield server


@pytest.fixture(scope="module")
def expected(server: Server, pictures: Sequence[bytes]) -> NDArray[np.float32]:
    """What version 1 of the service's own HTTP answers: probabilities [B, C]."""
    form = [("images", ("x.jpg", data, "image/jpeg")) for data in pictures]
    answer = httpx.post(f"{server.url}/v1/tasks/flowers/classify?top_k={CLASSES}", files=form, timeout=60)
    rows = [
        [found["probability"] for found in sorted(row["classes"], key=lambda each: int(each["index"]))]
        for row in answer.raise_for_status().json()["predictions"]
    ]
    return np.array(rows, np.float32)


@pytest.fixture(scope="module")
def pixels(pictures: Sequence[bytes], artifact: Artifact, served_backbone: Backbone) -> NDArray[np.uint8]:
    """The pictures [B, 3, H, W] as the service fits them."""
    size = served_backbone.config.image_size
    return np.stack([to_pixels(each, artifact.config.preprocess, size).numpy() for each in pictures])
