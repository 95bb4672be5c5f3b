"""The file of keys: read whole, written whole, by one at a time."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from service.access.key_file import KeyFile
from service.access.key_record import KeyList, KeyRecord
from service.errors import KeyFileUnusable
from tests.support.keys import key_file, new_key


def test_keys_are_read_as_they_were_written_and_by_the_owner_alone(tmp_path: Path) -> None:
    text, key = new_key(tasks=["a-*"], requests_per_s=3)
    file = key_file(tmp_path / "made", key)
    assert file.read().keys == (key,)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert text.secret not in file.path.read_text()
    file.path.chmod(0o640)
    file.change(lambda keys: keys)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o640


def test_writers_do_not_lose_each_others_keys(tmp_path: Path) -> None:
    keys = [new_key()[1] for _ in range(8)]

    def add(key: KeyRecord) -> None:
        KeyFile(tmp_path / "keys.json").change(lambda before: KeyList(keys=(*before.keys, key)))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, keys))
    assert set(KeyFile(tmp_path / "keys.json").read().keys) == set(keys)
    assert {path.name for path in tmp_path.iterdir()} == {"keys.json", "keys.json.lock"}


@pytest.mark.parametrize(
    ("text", "said"),
    [(b"", "is no file of keys"), (b'{"format": 1, "keys": [', "is no file of keys"),
     (b"[]", "is no file of keys"), (b'{"format": 2}', "format"),
     (b'{"keys": [{"id": "0123456789ab", "salt": "secret"}]}', r"keys\.0\."),
     (b"\xff\xfe", "is no file of keys")],
)  # fmt: skip
def test_a_file_of_something_else_is_refused_without_being_shown(
    tmp_path: Path, text: bytes, said: str
) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(text)
    with pytest.raises(KeyFileUnusable, match=said) as caught:
        KeyFile(path).read()
    assert "secret" not in str(caught.value)
    with pytest.raises(KeyFileUnusable):
        KeyFile(path).change(lambda keys: keys)
    assert path.read_bytes() == text


def test_places_that_cannot_be_are_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyFileUnusable, match="cannot be read: No such file"):
        KeyFile(tmp_path / "none").read()
    with pytest.raises(KeyFileUnusable, match="cannot be written"):
        KeyFile(tmp_path / "file" / "keys.json").change(lambda keys: keys)


def test_a_change_that_fails_leaves_the_file_alone(tmp_path: Path) -> None:
    file = key_file(tmp_path, new_key()[1])
    before, stamp = file.path.read_bytes(), file.stamp()

    def fail(_: KeyList) -> KeyList:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        file.change(fail)
    assert (file.path.read_bytes(), file.stamp()) == (before, stamp)
    assert {path.name for path in tmp_path.iterdir()} == {"keys.json", "keys.json.lock"}
