"""What the service's unit tests share: random adapters."""

import pytest

from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.options import KindOptions
from adapters.store.artifact import Artifact
from adapters.vit.backbone import Backbone
from tests.support.artifacts import MakeArtifact, random_artifact


@pytest.fixture
def anyio_backend() -> str:
    """Coroutine tests run on asyncio, as the service does."""
    return "asyncio"


@pytest.fixture
def make_artifact(backbone: Backbone) -> MakeArtifact:
    """Random adapters: `make_artifact(seed, class_count=3, options=…)`."""

    def make(seed: int = 0, class_count: int = 3, options: KindOptions | None = None) -> Artifact:
        return random_artifact(
            backbone.config, options or DvptOptions(count=2), class_count, noise=0.2, seed=seed
        )

    return make
