"""The contract of `Files`, for every backend: a new one is one more line in `PLACES`."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.errors import ConfigError, InvalidName
from adapters.store.files import BACKENDS, Files, as_location, open_files
from adapters.store.local_files import LocalFiles
from adapters.store.names import check_key

PLACES: dict[str, Callable[[Path], str]] = {
    "file": lambda folder: f"file://{folder}",
}
BAD_KEYS = [
    "",
    "/",
    "/etc/passwd",
    "../a",
    "a/../b",
    "a/..",
    "a/./b",
    "./a",
    "a//b",
    "a/",
    ".a",
    "a/.lock",
    "a\0",
]
THREADS = 8
Result = TypeVar("Result")


@pytest.fixture(params=sorted(PLACES))
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where nothing is yet."""
    return PLACES[request.param](tmp_path / "place")


@pytest.fixture
def files(url: str) -> Files:
    return open_files(url)


def at_once(action: Callable[[int], Result]) -> list[Result]:
    """What `action` gives in several threads that begin together, each with its number."""
    start = threading.Barrier(THREADS)

    def run(number: int) -> Result:
        start.wait()
        return action(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def test_every_backend_is_held_to_the_contract() -> None:
    assert PLACES.keys() == BACKENDS.keys()


def test_a_place_is_found_again_by_its_url(files: Files) -> None:
    files.put("a/b/c", b"1")

    assert open_files(files.url).read("a/b/c") == b"1"
    assert open_files(files.url).url == files.url


def test_a_put_replaces_and_a_removal_is_seen(files: Files) -> None:
    for data in (b"", b"\x00\xff" * 1000, b"new"):
        files.put("a/b", data)
        assert files.read("a/b") == data
        assert files.exists("a/b")
    files.remove("a/b")
    files.remove("a/b")
    assert not files.exists("a/b")
    with pytest.raises(FileNotFoundError):
        files.read("a/b")


def test_missing_folders_are_empty(files: Files) -> None:
    for folder in ("", "a", "a/b"):
        assert files.folders(folder) == []
        assert files.files(folder) == []
        assert files.fingerprint(folder) == frozenset()
        assert files.age_s(folder) == 0
        files.remove_temporaries(folder, 0)
    files.remove("a/b")
    assert not files.exists("a/b")
    with pytest.raises(FileNotFoundError):
        files.read("a/b")


def test_listings_name_what_is_directly_in_a_folder(files: Files) -> None:
    for key in ("top", "a/one", "a/two", "a/b/c/deep", "ab/other"):
        files.put(key, b"")
    assert (sorted(files.folders()), sorted(files.files(""))) == (["a", "ab"], ["top"])
    assert (sorted(files.folders("a")), sorted(files.files("a"))) == (["b"], ["one", "two"])
    assert (files.folders("a/b"), files.files("a/b")) == (["c"], [])
    assert (files.folders("a/one"), files.files("a/one")) == ([], [])


def test_an_exclusive_put_leaves_what_is_there(files: Files) -> None:
    assert files.put_exclusive("a/claim", b"first")
    assert not files.put_exclusive("a/claim", b"second")
    assert files.read("a/claim") == b"first"
    assert files.files("a") == ["claim"]
    files.remove("a/claim")
    assert files.put_exclusive("a/claim", b"third")


def test_of_exclusive_puts_at_once_one_wins(files: Files) -> None:
    for turn in range(20):
        key = f"{turn}/claim"
        won = at_once(lambda number, key=key: files.put_exclusive(key, bytes([number])))  # type: ignore[misc]
        assert won.count(True) == 1
        assert files.read(key) == bytes([won.index(True)])


@pytest.mark.slow
def test_readers_see_whole_writes_and_no_temporaries(files: Files) -> None:
    wholes = [bytes([number]) * 300_000 for number in range(2)]
    files.put("a/b", wholes[0])
    ended = threading.Event()

    def write() -> None:
        try:
            for turn in range(100):
                files.put("a/b", wholes[turn % 2])
                files.put_exclusive("a/b", b"never")
        finally:
            ended.set()

    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(write)
        while not ended.is_set():
            assert files.read("a/b") in wholes
            assert files.exists("a/b")
            assert (files.folders("a"), files.files("a")) == ([], ["b"])
            files.remove_temporaries("a", 3600)
        written.result()


def test_a_fingerprint_differs_after_every_change(files: Files) -> None:
    steps: list[Callable[[], object]] = [
        lambda: files.put("a/one", b"1"),
        lambda: files.put("a/one", b"22"),
        lambda: files.put("a/two", b"1"),
        lambda: files.remove("a/one"),
    ]
    seen = {files.fingerprint("a")}
    for count, step in enumerate(steps, start=2):
        step()
        assert files.fingerprint("a") == files.fingerprint("a")
        seen.add(files.fingerprint("a"))
        assert len(seen) == count
    files.put("a/b/deep", b"")
    files.put("other", b"")
    assert files.fingerprint("a") in seen


def test_a_stamp_differs_after_every_change_and_none_is_of_nothing(files: Files) -> None:
    assert files.stamp("a/one") is None
    seen = set()
    for data in (b"1", b"22", b"333"):
        files.put("a/one", data)
        assert files.stamp("a/one") == files.stamp("a/one")
        seen.add(files.stamp("a/one"))
    assert len(seen) == 3
    assert None not in seen
    files.remove("a/one")
    assert files.stamp("a/one") is None


def test_a_place_keeps_its_identity_whatever_is_put_there(files: Files, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="place"):
        files.identity()
    files.put("a/one", b"1")
    before = files.identity()
    files.put("b/two", b"2")
    files.remove("a/one")
    assert files.identity() == before
    other = open_files(tmp_path / "other")
    other.put("a/one", b"1")
    assert other.identity() != before


def test_a_folder_that_changed_now_is_young(files: Files) -> None:
    files.put("a/b", b"")
    assert 0 <= files.age_s("a") < 3600


def test_a_lock_keeps_everyone_else_out(files: Files, url: str) -> None:
    """Each thread reads a number and writes the next one, which goes wrong unless they take turns."""
    files.put("a/number", b"0")

    def count(_: int) -> None:
        own = open_files(url)
        for _ in range(10):
            with own.lock("a"):
                own.put("a/number", str(int(own.read("a/number")) + 1).encode())

    at_once(count)
    assert files.read("a/number") == str(10 * THREADS).encode()


def test_locks_are_each_folders_own_and_not_listed(files: Files) -> None:
    with ExitStack() as held:
        for folder in ("a", "b", "a/b", ""):
            held.enter_context(files.lock(folder))
        files.put("a/file", b"")
        assert files.files("a") == ["file"]
        assert files.files("") == []


@pytest.mark.parametrize("key", BAD_KEYS)
def test_keys_that_could_lead_elsewhere_are_refused_everywhere(files: Files, key: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: files.read(key),
        lambda: files.put(key, b""),
        lambda: files.put_exclusive(key, b""),
        lambda: files.exists(key),
        lambda: files.remove(key),
    ]
    if key:
        calls += [
            lambda: files.folders(key),
            lambda: files.files(key),
            lambda: files.fingerprint(key),
            lambda: files.age_s(key),
            lambda: files.remove_temporaries(key, 0),
            lambda: files.lock(key).__enter__(),
        ]
    for call in calls:
        with pytest.raises(InvalidName, match="is not allowed as a key"):
            call()
    assert (files.folders(), files.files("")) == ([], [])


def names() -> Iterator[st.SearchStrategy[str]]:
    yield st.sampled_from(["", ".", "..", "a", "a..b", "...", ".a", "a.", "~", " ", "é"])
    yield st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), max_size=4)


@given(st.lists(st.one_of(*names()), max_size=4).map("/".join))
@example("a\n/..")
def test_a_key_that_is_allowed_stays_inside(key: str) -> None:
    parts = key.split("/")
    try:
        check_key(key)
    except InvalidName:
        assert any(part == "" or part.startswith(".") or "\0" in part for part in parts)
    else:
        assert Path("/root", key).parts == ("/", "root", *parts)
        assert not any(part.startswith(".") or "\0" in part for part in parts)


def test_a_path_a_text_and_a_url_open_the_same_directory(tmp_path: Path) -> None:
    folder = tmp_path / "a b%"
    url = "FILE://" + str(folder).replace("%", "%25").replace(" ", "%20")
    places = [open_files(folder), open_files(str(folder)), open_files(url)]
    assert places == [LocalFiles(folder)] * 3
    assert {place.url for place in places} == {str(folder)}


def test_a_location_keeps_a_url_whole() -> None:
    assert as_location("s3://bucket/store") == "s3://bucket/store"
    assert as_location("stores/embedded/") == Path("stores/embedded")


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("s3://bucket/store", "'s3://bucket/store': no files are kept at s3://; there are: a path, file://"),
        ("://x", "no files are kept at ://; there are"),
        ("file://host/store", "'file://host/store' names no directory of this machine; write file:///and"),
        ("file://", "names no directory"),
    ],
)
def test_a_url_that_cannot_be_used_says_what_can(location: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_files(location)
    assert message in str(caught.value)
