import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.errors import ArtifactDamaged, StoreConflict, VersionNotFound
from adapters.store import journal as journal_module
from adapters.store.files import Files
from adapters.store.journal import Entry, Journal, Position, entry_key, tail
from adapters.store.local_files import LocalFiles
from adapters.store.store import Store
from tests.support.artifacts import MakeArtifact
from tests.support.memory_files import Actor, MemoryFiles, take_turns

TASKS = ("birds", "cars", "digits")
SMALL_KEPT = 6


@pytest.fixture(scope="module", autouse=True)
def _small() -> Iterator[None]:
    """A journal that compacts after a few entries."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal_module, "KEPT", SMALL_KEPT)
        yield


@pytest.fixture(params=["local", "memory"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    return LocalFiles(tmp_path) if request.param == "local" else MemoryFiles()


@pytest.fixture
def journal(files: Files) -> Journal:
    return Journal(files)


class Follower:
    """Knows the tasks' contents by the journal alone, and looks at all of them where that tells nothing."""

    def __init__(self, files: Files) -> None:
        self.files, self.journal = files, Journal(files)
        self.known: dict[str, bytes] = {}
        self.whole_looks = 0
        self.look_at_everything()

    def look_at_everything(self) -> None:
        self.position = self.journal.position()
        self.known = read_tasks(self.files, TASKS)
        self.whole_looks += 1

    def look(self) -> None:
        news = self.journal.after(self.position)
        if news is None:
            self.look_at_everything()
        else:
            self.known.update(read_tasks(self.files, news.tasks))
            self.position = news.position


def read_tasks(files: Files, tasks: frozenset[str] | tuple[str, ...]) -> dict[str, bytes]:
    found = {}
    for task in tasks:
        try:
            found[task] = files.read(f"{task}/content")
        except FileNotFoundError:
            found[task] = b""
    return found


def test_a_reader_is_told_once_what_was_appended_since(journal: Journal) -> None:
    start = journal.position()
    assert start == Position()
    assert [journal.append(task) for task in ("digits", "cars", "digits")] == [1, 2, 3]
    news = journal.after(start)
    assert news is not None
    assert (news.tasks, news.position) == (frozenset({"digits", "cars"}), journal.position())
    again = journal.after(news.position)
    assert again is not None
    assert (again.tasks, again.position) == (frozenset(), news.position)


def test_an_entry_whose_stamp_alone_changed_is_the_same_one(files: Files, journal: Journal) -> None:
    journal.append("digits")
    position = journal.position()
    files.put(entry_key(1), files.read(entry_key(1)))  # as a temporary name that goes changes a file's times
    news = journal.after(replace(position, stamp=(1, 2, 3)))
    assert news is not None
    assert (news.tasks, news.position) == (frozenset(), journal.position())
    files.put(entry_key(1), files.read(entry_key(1)).replace(position.id.encode(), b"0" * 32))
    assert journal.after(replace(position, stamp=(1, 2, 3))) is None


def test_an_entry_of_no_task_names_none(journal: Journal) -> None:
    journal.append(None)
    news = journal.after(Position())
    assert news is not None
    assert (news.tasks, news.position.number) == (frozenset(), 1)


def test_old_entries_go_and_new_ones_stay(files: Files, journal: Journal) -> None:
    for _ in range(5 * SMALL_KEPT):
        journal.append("digits")
    numbers = sorted(int(name) for name in files.files("_journal"))
    assert numbers == list(range(4 * SMALL_KEPT + 1, 5 * SMALL_KEPT + 1))


def test_the_oldest_entries_go_first(files: Files, journal: Journal) -> None:
    for number in range(1, 4 * SMALL_KEPT):
        files.put(entry_key(number), b"")
    journal.append("digits")
    numbers = sorted(int(name) for name in files.files("_journal"))
    assert numbers == list(range(3, 4 * SMALL_KEPT + 1))


@pytest.mark.parametrize("read", [0, 1, 3])
def test_a_reader_that_was_away_for_too_long_looks_at_everything(journal: Journal, read: int) -> None:
    for _ in range(read):
        journal.append("digits")
    position = journal.position()
    for _ in range(3 * SMALL_KEPT):
        journal.append("cars")
    assert journal.after(position) is None
    assert journal.position().number == read + 3 * SMALL_KEPT


GARBAGE = {
    "empty": b"",
    "no JSON": b"\xff{",
    "a list": b"[]",
    "truncated": b'{"format_version":1,"task":"di',
    "a newer format": json.dumps({"format_version": 2, "task": "digits", "id": "0" * 32}).encode(),
    "an unknown key": json.dumps({"format_version": 1, "task": "a", "id": "0" * 32, "x": 1}).encode(),
    "a task outside": json.dumps({"format_version": 1, "task": "../etc", "id": "0" * 32}).encode(),
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE)
def test_a_garbage_entry_has_everything_looked_at_once(files: Files, journal: Journal, data: bytes) -> None:
    journal.append("digits")
    position = journal.position()
    files.put(entry_key(2), data)
    assert journal.after(position) is None
    position = journal.position()
    assert position.number == 2
    assert journal.append("cars") == 3
    news = journal.after(position)
    assert news is not None
    assert news.tasks == {"cars"}


@pytest.mark.parametrize("number", [999_999_999_999, 500, 4])
def test_an_entry_from_the_future_hides_none(files: Files, number: int) -> None:
    journal = Journal(files)
    for _ in range(2):
        journal.append("birds")
    follower = Follower(files)
    files.put(entry_key(number), Entry(task="birds", id="0" * 32).model_dump_json().encode())
    for turn in range(3 * SMALL_KEPT):
        files.put("digits/content", str(turn).encode())
        journal.append("digits")
        follower.look()
        assert follower.known["digits"] == str(turn).encode()
    assert follower.whole_looks <= 2


def test_an_entry_twice_and_one_of_nothing_change_nothing(files: Files, journal: Journal) -> None:
    follower = Follower(files)
    files.put("digits/content", b"1")
    for task in ("digits", "digits", "cars"):
        journal.append(task)
    follower.look()
    assert follower.known == {"digits": b"1", "cars": b"", "birds": b""}


def test_foreign_files_are_no_entries(files: Files, journal: Journal) -> None:
    for name in ("index.json", "1", "00000000000x", "0000000000001", "000000000000"):
        files.put(f"_journal/{name}", b"")
    assert journal.position() == Position()
    assert journal.append("digits") == 1


@pytest.mark.parametrize("back", [0, 2])
def test_a_journal_that_was_restored_or_removed_has_everything_looked_at(
    files: Files, journal: Journal, back: int
) -> None:
    for _ in range(4):
        journal.append("digits")
    position = journal.position()
    for name in files.files("_journal"):
        if int(name) > back:
            files.remove(f"_journal/{name}")
    assert journal.after(position) is None
    for _ in range(4):  # as far again, and further, before anybody looks
        journal.append("cars")
    assert journal.after(position) is None


def test_a_linked_journal_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "_journal").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArtifactDamaged, match="symbolic link"):
        Journal(LocalFiles(tmp_path)).append("digits")
    assert list((tmp_path / "elsewhere").iterdir()) == []


@given(st.lists(st.integers(1, 40), unique=True).map(sorted))
def test_the_tail_ends_the_longest_run(numbers: list[int]) -> None:
    runs = [
        (last - first + 1, -last)
        for first in numbers
        for last in numbers
        if set(range(first, last + 1)) <= set(numbers) and first <= last
    ]
    assert tail(numbers) == (-max(runs)[1] if runs else 0)


def test_appenders_at_once_lose_no_entry(files: Files) -> None:
    barrier = threading.Barrier(4)

    def append(number: int) -> None:
        barrier.wait()
        for _ in range(3):
            Journal(files).append(TASKS[number % 3])

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(4) as pool:
        patch.setattr(journal_module, "KEPT", 100)
        list(pool.map(append, range(4)))
    assert sorted(map(int, files.files("_journal"))) == list(range(1, 13))


def change(task: str, times: int, died: set[str]) -> Callable[[MemoryFiles], None]:
    """A writer: content first, entry behind; `died` has the tasks whose change got no entry."""

    def work(files: MemoryFiles) -> None:
        for turn in range(times):
            died.add(task)
            files.put(f"{task}/content", f"{task} {turn} {id(died)}".encode())
            Journal(files).append(task)
            died.discard(task)

    return work


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(TASKS), min_size=1, max_size=4),
    st.lists(st.integers(0, 5), max_size=300),
    st.integers(1, 8),
)
def test_whatever_the_order_of_steps_a_reader_ends_with_what_is_there(
    tasks: list[str], order: list[int], times: int
) -> None:
    """No writer is killed, so the journal alone must do."""
    files, died = MemoryFiles(), set[str]()
    followers: list[Follower] = []

    def follow(own: MemoryFiles) -> None:
        followers.append(Follower(own))
        for _ in range(4):
            followers[-1].look()

    actors = [*(Actor(files, change(task, times, died)) for task in tasks), Actor(files, follow)]
    take_turns(actors, [(number, False) for number in order])
    followers[0].files, followers[0].journal = files, Journal(files)
    followers[0].look()
    assert followers[0].known == read_tasks(files, TASKS)
    assert not died


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([False] * 9 + [True])), max_size=200))
def test_a_writer_killed_at_any_step_hides_its_own_change_at_most(order: list[tuple[int, bool]]) -> None:
    files, died = MemoryFiles(), set[str]()
    followers: list[Follower] = []

    def follow(own: MemoryFiles) -> None:
        followers.append(Follower(own))
        for _ in range(4):
            followers[-1].look()

    # A writer for each task: who is killed leaves the task in `died`.
    actors = [Actor(files, change(task, 9, died)) for task in TASKS]
    reader = Actor(files, follow)
    take_turns([*actors, reader], [(number, kill and number % 4 != 3) for number, kill in order])
    follower = followers[0]
    follower.files, follower.journal = files, Journal(files)
    follower.look()
    there = read_tasks(files, TASKS)
    assert {task for task in TASKS if follower.known[task] != there[task]} <= died
    for task in died:  # the next change of the same task heals it
        Journal(files).append(task)
    follower.look()
    assert follower.known == there


@pytest.mark.parametrize("slept_for", [SMALL_KEPT - 1, SMALL_KEPT, 2 * SMALL_KEPT, 5 * SMALL_KEPT])
def test_a_writer_that_slept_before_its_write_is_read_all_the_same(slept_for: int) -> None:
    files = MemoryFiles()
    journal = Journal(files)
    for _ in range(3):
        journal.append("birds")

    def append(own: MemoryFiles) -> None:
        Journal(own).append("digits")

    sleeper = Actor(files, append)
    sleeper.step()  # it listed
    sleeper.step()  # it saw that the next number is free
    follower = Follower(files)
    for _ in range(slept_for):
        journal.append("cars")
        follower.look()
    files.put("digits/content", b"1")
    while not sleeper.over:
        sleeper.step()
    follower.look()
    assert follower.known["digits"] == b"1"
    assert follower.whole_looks == 1


def test_every_change_of_a_store_is_announced_behind_it(store: Store, make_artifact: MakeArtifact) -> None:
    operations: list[Callable[[], object]] = [
        lambda: store.publish("digits", make_artifact(note="1")),
        lambda: store.publish("digits", make_artifact(note="2")),
        lambda: store.publish("digits", make_artifact(note="3"), label=None),
        lambda: store.set_label("digits", "next", 3),
        lambda: store.rollback("digits"),
        lambda: store.remove_label("digits", "next"),
        lambda: store.delete_version("digits", 3),
        lambda: store.prune("digits", 0),
        lambda: store.delete_task("digits"),
    ]
    for number, operation in enumerate(operations, start=1):
        position = store.journal.position()
        operation()
        news = store.journal.after(position)
        assert news is not None
        assert (news.tasks, news.position.number) == (frozenset({"digits"}), number)


def test_what_was_refused_or_changed_nothing_is_not_announced(
    store: Store, make_artifact: MakeArtifact
) -> None:
    store.publish("digits", make_artifact())
    position = store.journal.position()
    with pytest.raises(VersionNotFound):
        store.set_label("digits", "next", 7)
    with pytest.raises(StoreConflict):
        store.delete_version("digits", 1)
    assert store.prune("digits", 1) == []
    assert store.journal.position() == position


def test_a_store_whose_journal_cannot_be_written_is_published_to(
    store: Store, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    (store_folder / "_journal").write_text("a file")
    assert store.publish("digits", make_artifact(note="1")) == 1
    store.delete_task("digits")
    assert store.tasks() == []
