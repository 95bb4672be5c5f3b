"""Real processes on one store: concurrent publishers, readers meanwhile, and kills at every step."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from adapters.errors import VersionNotFound
from adapters.kinds.dvpt.options import DvptOptions
from adapters.store.artifact import Artifact
from adapters.store.journal import Position
from adapters.store.store import Store
from adapters.store.task_record import TaskRecord
from adapters.vit.backbone import Backbone
from tests.support.artifacts import random_artifact
from tests.support.store_workers import Worker, store_worker

TASK = "digits"
PROCESSES, TIMES = 4, 6


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with store_worker() as made:
        yield made


@pytest.fixture(scope="module")
def artifact(backbone: Backbone) -> Artifact:
    return random_artifact(
        backbone.config, DvptOptions(count=3), 5, card={"README.md": b"# Card\n"}, dtype=torch.bfloat16
    )


def read_everything(store: Store) -> int:
    """Load whatever is visible: it must be whole, unless it is gone by then; how many loaded."""
    loaded = 0
    for name, record in store.records().items():
        assert record.problems == ()
        assert set(record.labels.values()) <= set(record.versions)
        for version in record.versions:
            try:
                assert store.load(name, version).card.keys() == {"README.md"}
            except VersionNotFound:
                continue
            loaded += 1
    return loaded


def test_concurrent_publishers_never_share_a_number_and_lose_nothing(
    tmp_path: Path, backbone: Backbone, artifact: Artifact, worker: Worker
) -> None:
    store = Store.create(tmp_path / "store", backbone.config)
    store.publish(TASK, artifact)
    loaded, log = 0, tmp_path / "log"
    worker.start("publish", store.url, log, PROCESSES, TIMES)
    while worker.running():
        loaded += read_everything(store)
    assert worker.exit_code() == 0
    published = [json.loads(line) for line in log.read_text().splitlines()]
    assert loaded > 0
    versions = sorted(version for version, _ in published)
    assert versions == list(range(2, 2 + PROCESSES * TIMES))
    for version, note in published:
        assert store.load(TASK, version).config.provenance == {"note": note}
        assert json.loads(store.card(TASK, version)["README.md"]) == note
    record = store.task(TASK)
    assert record.versions == (1, *versions)
    stable = json.loads((tmp_path / "store" / TASK / "labels" / "stable").read_text())
    assert sorted([*stable["history"], stable["version"]]) == [1, *versions]  # no move was lost


def follow_journal(store: Store, position: Position, known: dict[str, TaskRecord]) -> Position:
    """Look at the tasks that entries behind a position name, and at nothing else."""
    news = store.journal.after(position)
    assert news is not None
    known.update(store.look(news.tasks))
    return news.position


def test_readers_see_only_whole_adapters_whatever_the_writers_do(
    tmp_path: Path, backbone: Backbone, artifact: Artifact, worker: Worker
) -> None:
    store = Store.create(tmp_path / "store", backbone.config)
    for _ in range(3):
        store.publish(TASK, artifact)
    loaded, seen = 0, set[int]()
    position, known = store.journal.position(), store.look()
    worker.start("churn", store.url, 60)
    while worker.running():
        loaded += read_everything(store)
        seen.update(store.task(TASK).versions)
        position = follow_journal(store, position, known)
    assert worker.exit_code() == 0
    follow_journal(store, position, known)
    assert known == store.look()
    assert loaded > 0
    read_everything(store)
    assert store.publish(TASK, artifact) > max(*seen, 10)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, backbone: Backbone, artifact: Artifact) -> Path:
    """A store with three versions; stable is the third, and was the first before."""
    folder = tmp_path_factory.mktemp("template") / "template"
    store = Store.create(folder, backbone.config)
    store.publish(TASK, artifact)
    store.publish(TASK, artifact, label=None)
    store.publish(TASK, artifact)
    return folder


STATES: dict[str, set[tuple[tuple[int, ...], int | None]]] = {
    "publish": {((1, 2, 3), 3), ((1, 2, 3, 4), 3), ((1, 2, 3, 4), 4)},
    "first-publish": {((), None), ((1,), None), ((1,), 1)},
    "label": {((1, 2, 3), 3), ((1, 2, 3), 1)},
    "rollback": {((1, 2, 3), 3), ((1, 2, 3), 1)},
    "remove-label": {((1, 2, 3), 3), ((1, 2, 3), None)},
    "delete": {((1, 2, 3), 3), ((1, 3), 3)},
    "delete-task": {((1, 2, 3), 3), ((1, 2, 3), None), ((2, 3), None), ((3,), None), ((), None)},
    "prune": {((1, 2, 3), 3), ((1, 3), 3)},
}


@pytest.mark.parametrize("operation", STATES)
def test_a_kill_at_any_step_leaves_a_state_before_or_after_and_nothing_half(
    template: Path, tmp_path: Path, artifact: Artifact, worker: Worker, operation: str
) -> None:
    shutil.copytree(template, tmp_path / "template")
    worker.start("crash", tmp_path, operation)
    assert worker.exit_code() == 0
    changed = "another" if operation == "first-publish" else TASK
    states = set()
    for root in tmp_path.glob("[0-9]*"):
        store = Store.open(root)
        read_everything(store)
        record = store.records().get(changed)
        states.add((record.versions, record.labels.get("stable")) if record else ((), None))
        the_store_goes_on(root, artifact)
    assert states == STATES[operation]


def the_store_goes_on(root: Path, artifact: Artifact) -> None:
    """Publishing works, gets a number nobody had, and a day later prune clears what the dead process left."""
    store = Store.open(root)
    before = store.records()
    version = store.publish(TASK, artifact)
    assert version >= 4
    loaded = store.load(TASK, store.resolve(TASK))
    assert all(torch.equal(loaded.tensors[name], artifact.tensors[name]) for name in artifact.tensors)
    past = time.time() - 2 * 24 * 3600
    for path in root.rglob("*"):
        os.utime(path, (past, past))
    for task in store.task_folders():
        store.prune(task, 100)
    assert {name: record.versions for name, record in before.items() if name != TASK} == {
        name: record.versions for name, record in store.records().items() if name != TASK
    }
    allowed = {"claim", "tombstone"}
    assert not list(root.glob("_journal/.*.tmp"))
    for folder in root.glob("[!_]*/[0-9]*"):
        names = {path.name for path in folder.iterdir()}
        assert "adapter_config.json" in names or names <= allowed
        assert not any(name.endswith(".tmp") for name in names)
