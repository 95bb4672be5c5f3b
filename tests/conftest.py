"""Fixtures for every test: a tiny backbone, random adapters, and the real data where it is."""

import os
import signal
from pathlib import Path

import pytest
import torch
from hypothesis import Phase, settings

from adapters.vit.backbone import Backbone
from tests.support.backbones import tiny_backbone

torch.set_num_threads(1)
# A shell starts what runs in its background with SIGINT ignored, and so would be what the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
# An example may take as long as a busy machine needs.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
# For `make mutate`: the same examples each time, and no search for a smaller one that fails.
settings.register_profile(
    "mutation", max_examples=25, derandomize=True, deadline=None, phases=(Phase.explicit, Phase.generate)
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--ray`: where an integration test starts `dvpt-serve`, a Ray Serve deployment answers instead."""
    parser.addoption("--ray", action="store_true", help="serve with Ray instead of dvpt-serve")


@pytest.fixture(scope="session")
def backbone() -> Backbone:
    """A ViT of two blocks on 32-pixel pictures, float32, on the CPU."""
    return tiny_backbone()


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder with real weights and pictures; tests that need it are skipped where it is not."""
    root = os.environ.get("DVPT_DATA_ROOT")
    if not root or not Path(root).is_dir():
        pytest.skip("DVPT_DATA_ROOT names no folder with the real data")
    return Path(root)
