"""A store of the tiny backbone."""

from pathlib import Path

import pytest

from adapters.store.store import Store
from adapters.vit.backbone import Backbone


@pytest.fixture
def store_folder(tmp_path: Path) -> Path:
    """Where `store` is, for tests that look at its files or damage them."""
    return tmp_path / "store"


@pytest.fixture
def store(store_folder: Path, backbone: Backbone) -> Store:
    """An empty store of the tiny backbone."""
    return Store.create(store_folder, backbone.config)
