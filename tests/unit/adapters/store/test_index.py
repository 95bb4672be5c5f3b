import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.errors import LabelNotFound, StoreError
from adapters.store import journal as journal_module
from adapters.store import label_store
from adapters.store.artifact import Artifact
from adapters.store.index import INDEX_FILE
from adapters.store.journal import Position
from adapters.store.label_rules import LabelRules, LabelTraffic
from adapters.store.store import Store
from adapters.store.task_record import TaskRecord
from adapters.vit.backbone import Backbone
from tests.support.artifacts import MakeArtifact

TASKS = ("birds", "cars", "digits")
Seen = dict[str, tuple[dict[int, object], dict[str, int]]]


@pytest.fixture(scope="module", autouse=True)
def _small() -> Iterator[None]:
    """A journal that compacts after a few entries, and an index that is renewed often."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal_module, "KEPT", 10)
        patch.setattr(label_store, "INDEX_EVERY", 4)
        yield


@pytest.fixture
def indexed(store: Store, make_artifact: MakeArtifact) -> Store:
    """A store of two tasks whose index is as of its last entry."""
    for task in ("birds", "digits"):
        store.publish(task, make_artifact())
    assert store.write_index() == 2
    return store


def seen(records: Mapping[str, TaskRecord]) -> Seen:
    return {
        name: (dict(record.stamps), dict(record.labels))
        for name, record in records.items()
        if record.versions
    }


def start(store: Store) -> tuple[dict[str, TaskRecord], Position] | None:
    """What a reader knows that takes the index and the entries behind it."""
    found = store.indexed()
    news = store.journal.after(found[1]) if found else None
    if found is None or news is None:
        return None
    return {**found[0], **store.look(news.tasks)}, news.position


def test_an_index_and_the_entries_behind_it_are_what_is_there(
    indexed: Store, make_artifact: MakeArtifact
) -> None:
    found = indexed.indexed()
    assert found is not None
    assert (seen(found[0]), found[1]) == (seen(indexed.look()), indexed.journal.position())
    indexed.publish("cars", make_artifact())
    indexed.delete_task("birds")
    started = start(indexed)
    assert started is not None
    assert seen(started[0]) == seen(indexed.look())
    assert set(seen(started[0])) == {"cars", "digits"}


def test_an_old_store_gets_a_journal_with_its_index(
    store: Store, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    store.publish("digits", make_artifact())
    shutil.rmtree(store_folder / "_journal")
    assert store.indexed() is None
    assert store.write_index() == 1
    assert store.indexed() is not None


def test_an_index_of_an_empty_store_is_empty(store: Store) -> None:
    assert store.write_index() == 0
    assert store.indexed() == ({}, store.journal.position())


@pytest.mark.usefixtures("indexed")
def test_a_copied_store_keeps_its_index(store_folder: Path) -> None:
    shutil.copytree(store_folder, store_folder.with_name("copy"))
    found = Store.open(store_folder.with_name("copy")).indexed()
    assert found is not None
    assert set(found[0]) == {"birds", "digits"}


def test_an_index_behind_the_journal_s_oldest_entry_does_not_count(indexed: Store) -> None:
    for _ in range(11):
        indexed.journal.append("digits")
    assert indexed.indexed() is None


def test_the_index_of_another_store_does_not_count(
    indexed: Store, store_folder: Path, backbone: Backbone, make_artifact: MakeArtifact
) -> None:
    other = Store.create(store_folder.with_name("other"), backbone.config)
    for task in ("cars", "pets"):
        other.publish(task, make_artifact())
    assert other.write_index() == 2
    shutil.copy(store_folder.with_name("other") / INDEX_FILE, store_folder / INDEX_FILE)
    assert indexed.indexed() is None


def change(key: str, value: object, at: int = 0) -> Callable[[bytes], bytes]:
    """Another value in one of the lines, of which the first is the head."""

    def changed(data: bytes) -> bytes:
        lines = data.splitlines(keepends=True)
        lines[at] = json.dumps({**json.loads(lines[at]), key: value}).encode() + b"\n"
        return b"".join(lines)

    return changed


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "truncated": lambda data: data[: len(data) // 2],
    "truncated after a line": lambda data: b"".join(data.splitlines(keepends=True)[:-1]),
    "a task twice": lambda data: data + data.splitlines(keepends=True)[-1],
    "no JSON": lambda data: b"\xff" + data,
    "newer": change("format_version", 2),
    "another backbone": change("backbone_sha256", "0" * 64),
    "ahead of the journal": change("number", 10**6),
    "the number 0": change("number", 0),
    "a task outside": change("task", "../etc", at=1),
    "an unknown key": change("more", 1),
    "an unknown key of a task": change("more", 1, at=2),
    "a wrong type": change("versions", {"1": "x"}, at=1),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_index_does_not_count_and_is_replaced(
    indexed: Store, store_folder: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = store_folder / INDEX_FILE
    path.write_bytes(damage(path.read_bytes()))
    assert indexed.indexed() is None
    indexed.write_index()
    assert start(indexed) is not None


def test_a_writer_renews_the_index_with_tasks_that_entries_named(
    indexed: Store, make_artifact: MakeArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[object] = []
    look = Store.look

    def watched(store: Store, tasks: object = None) -> dict[str, TaskRecord]:
        looked.append(tasks)
        return look(store, tasks)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "look", watched)
    for _ in range(2):
        indexed.publish("cars", make_artifact())
    assert looked == [{"cars"}]
    found = indexed.indexed()
    assert found is not None
    assert (found[1].number, found[0]["cars"].versions) == (4, (1, 2))


def test_a_writer_makes_the_first_index_from_a_look_at_everything(
    store: Store, make_artifact: MakeArtifact
) -> None:
    for task in (*TASKS, "pets"):
        store.publish(task, make_artifact())
    found = store.indexed()
    assert found is not None
    assert seen(found[0]) == seen(store.look())


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["publish", "hidden", "label", "rollback", "unlabel", "delete", "drop", "prune", "index"]
        ),
        st.sampled_from(TASKS),
        st.integers(1, 3),
    ),
    max_size=25,
)


def apply(store: Store, operation: str, task: str, version: int, artifact: Artifact) -> None:
    {
        "publish": lambda: store.publish(task, artifact),
        "hidden": lambda: store.publish(task, artifact, label=None),
        "label": lambda: store.set_label(task, "next", version),
        "rollback": lambda: store.rollback(task),
        "unlabel": lambda: store.remove_label(task, "next"),
        "delete": lambda: store.delete_version(task, version),
        "drop": lambda: store.delete_task(task),
        "prune": lambda: store.prune(task, 0),
        "index": store.write_index,
    }[operation]()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(OPERATIONS)
def test_whatever_is_done_journal_and_index_agree_with_a_look_at_everything(
    tmp_path_factory: pytest.TempPathFactory,
    backbone: Backbone,
    make_artifact: MakeArtifact,
    operations: list[tuple[str, str, int]],
) -> None:
    store = Store.create(tmp_path_factory.mktemp("any"), backbone.config)
    known, position = store.look(), store.journal.position()
    for operation, task, version in operations:
        try:
            apply(store, operation, task, version, make_artifact())
        except StoreError:
            continue
        news = store.journal.after(position)
        assert news is not None
        known |= store.look(news.tasks)
        position = news.position
        assert seen(known) == seen(store.look())
    started = start(store)
    assert started is None or (seen(started[0]), started[1]) == (seen(store.look()), position)


def test_an_index_has_the_rules_of_labels(indexed: Store) -> None:
    rules = LabelRules(traffic=LabelTraffic(canary_share=0.1))
    indexed.rule("birds", "stable", lambda _: rules)
    assert indexed.look()["birds"].rules == {"stable": rules}

    indexed.write_index()

    found = indexed.indexed()
    assert found is not None
    assert found[0]["birds"].rules == {"stable": rules}
    assert not found[0]["digits"].rules


def test_rules_reach_who_follows_the_journal(indexed: Store) -> None:
    position = indexed.journal.position()
    indexed.rule("birds", "stable", lambda _: LabelRules(traffic=LabelTraffic(shadow_share=1.0)))
    news = indexed.journal.after(position)
    assert news is not None
    assert list(news.tasks) == ["birds"]
    with pytest.raises(LabelNotFound, match="stable"):
        indexed.rule("birds", "canary", lambda rules: rules)
