"""A store of the tiny backbone, and artifacts to publish in it."""

from collections.abc import Callable

import pytest
import torch

from adapters.command.cli import main
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.options import KindOptions
from adapters.store.artifact import Artifact
from adapters.store.store import Store
from adapters.vit.backbone import Backbone
from tests.support.artifacts import MakeArtifact, random_artifact


@pytest.fixture(scope="session")
def make_artifact(backbone: Backbone) -> MakeArtifact:
    """Artifacts of random adapters with a card of two files."""

    def make(
        options: KindOptions = DvptOptions(count=3),  # noqa: B008 - frozen
        *,
        class_count: int = 5,
        head_layers: int = 1,
        dtype: torch.dtype = torch.bfloat16,
        note: object = None,
    ) -> Artifact:
        return random_artifact(
            backbone.config,
            options,
            class_count,
            head_layers=head_layers,
            provenance={"note": note, "metrics": {"test": {"accuracy": 0.5}}},
            card={"README.md": b"# A card\n", "learning-curve.png": b"\x89PNG"},
            dtype=dtype,
        )

    return make


@pytest.fixture
def published(store: Store, make_artifact: MakeArtifact) -> Store:
    """A store with three versions of `digits`."""
    for note in range(1, 4):
        store.publish("digits", make_artifact(note=note))
    return store


@pytest.fixture
def published_twice(store: Store, make_artifact: MakeArtifact, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Two versions of `digits` in the store that DVPT_STORE names."""
    store.publish("digits", make_artifact(note="first"))
    store.publish("digits", make_artifact(note="second"))
    monkeypatch.setenv("DVPT_STORE", store.url)
    return store


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command line: exit code, output and errors."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run
