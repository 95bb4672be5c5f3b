"""What the service's unit tests share: a store in a temporary folder and random adapters for it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from adapters.config import PreprocessConfig
from adapters.kinds.adapter import Adapter
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.options import KindOptions
from adapters.store.artifact import Artifact, new_artifact
from adapters.store.store import Store
from adapters.vit.backbone import Backbone

MakeArtifact = Callable[..., Artifact]


@pytest.fixture
def anyio_backend() -> str:
    """Coroutine tests run on asyncio, as the service does."""
    return "asyncio"


@pytest.fixture
def store_folder(tmp_path: Path) -> Path:
    """Where `store` is, for tests that look at its files or damage them."""
    return tmp_path / "store"


@pytest.fixture
def store(store_folder: Path, backbone: Backbone) -> Store:
    """An empty store of the tiny backbone."""
    return Store.create(store_folder, backbone.config)


@pytest.fixture
def make_artifact(backbone: Backbone) -> MakeArtifact:
    """Random adapters: `make_artifact(seed, class_count=3, options=…)`."""

    def make(seed: int = 0, class_count: int = 3, options: KindOptions | None = None) -> Artifact:
        options = options or DvptOptions(count=2)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            adapter = Adapter(options, backbone.config, class_count)
            with torch.no_grad():
                for parameter in adapter.parameters():
                    parameter.add_(0.2 * torch.randn_like(parameter))
        return new_artifact(
            adapter,
            method=options.kind,
            classes=[f"class {index}" for index in range(class_count)],
            backbone=backbone.config,
            preprocess=PreprocessConfig(),
            provenance={},
            dtype=torch.float32,
        )

    return make
