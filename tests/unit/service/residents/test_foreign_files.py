"""A store among very many files that are not its own."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.store.artifact import Artifact
from adapters.store.store import Store
from service.residents.store_reader import StoreReader

FOREIGN = int(os.environ.get("DVPT_TEST_FOREIGN_FILES", "20000"))
"""20,000 take a second; a million are for by hand."""


def test_files_that_are_not_the_store_s_change_nothing(
    store: Store, store_folder: Path, make_artifact: Callable[..., Artifact], monkeypatch: pytest.MonkeyPatch
) -> None:
    store.publish("digits", make_artifact(1))
    for folder in ("", "_journal", "digits", "digits/labels", "digits/1"):
        for number in range(FOREIGN // 5):
            (store_folder / folder / f"Foreign {number}").touch()
    assert store.write_index() == 1
    reader = StoreReader(store, 3600.0, clock=lambda: 0.0)  # it is never time for a look at everything
    assert set(reader.look().records) == {"digits"}
    store.publish("digits", make_artifact(2))
    store.publish("pets", make_artifact(3))
    with monkeypatch.context() as patch:
        patch.setattr(Store, "unsorted_task_folders", lambda _: pytest.fail("everything is looked at"))
        looked = reader.look().records
    assert {name: record.versions for name, record in looked.items()} == {"digits": (1, 2), "pets": (1,)}
    assert store.look() == {name: store.record(name) for name in ("digits", "pets")}
    assert StoreReader(store, 0.0).look().records == store.look()
    assert store.load("digits", 2).config == make_artifact(2).config
