"""Who holds the key that is shown."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service.access import keyring as module
from service.access.key_file import KeyFile
from service.access.key_record import KeyList
from service.access.keyring import Keyring
from service.access.secret import HashedSecret, KeyText, matches, new_key_text
from service.errors import KeyFileUnusable, Overloaded
from tests.support.keys import CREATED, key_file, new_key

pytestmark = pytest.mark.anyio


async def test_a_key_is_known_by_its_secret_alone(tmp_path: Path) -> None:
    (text, key), (_, other) = new_key(), new_key()
    keyring = Keyring(key_file(tmp_path, key, other))
    assert await keyring.holder(str(text)) == key
    assert await keyring.holder(str(text)) == key
    for wrong in (KeyText(text.id, new_key_text().secret), KeyText(other.id, text.secret), new_key_text()):
        assert await keyring.holder(str(wrong)) is None
        assert await keyring.holder(str(wrong)) is None
    for no_key in ("", "x", f"{text} ", text.secret):
        assert await keyring.holder(no_key) is None


async def test_the_slow_hash_is_computed_once_for_a_key_right_or_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, key = new_key()
    keyring = Keyring(key_file(tmp_path, key))
    computed: list[str] = []

    def counted(secret: str, kept: HashedSecret) -> bool:
        computed.append(secret)
        return matches(secret, kept)

    monkeypatch.setattr(module, "matches", counted)
    for shown in (text, KeyText(text.id, new_key_text().secret)):
        for _ in range(3):
            await keyring.holder(str(shown))
    assert len(computed) == 2


async def test_a_key_ends_when_it_expires(tmp_path: Path) -> None:
    moment = [datetime.now(UTC)]
    text, key = new_key(expires=moment[0] + timedelta(hours=1))
    keyring = Keyring(key_file(tmp_path, key), now=lambda: moment[0])
    assert await keyring.holder(str(text)) == key
    moment[0] += timedelta(hours=1)
    assert await keyring.holder(str(text)) is None


async def test_revoked_keys_and_new_ones_count_once_the_file_was_looked_at(tmp_path: Path) -> None:
    (text, key), (other_text, other) = new_key(), new_key()
    file = key_file(tmp_path, key)
    keyring = Keyring(file)
    assert await keyring.holder(str(text)) == key
    revoked = key.model_copy(update={"revoked": CREATED})
    file.change(lambda _: KeyList(keys=(revoked, other)))
    keyring.look()
    assert await keyring.holder(str(text)) is None
    assert await keyring.holder(str(other_text)) == other


async def test_another_secret_under_the_same_id_shuts_the_old_one_out(tmp_path: Path) -> None:
    (text, key), (fresh_text, fresh) = new_key(), new_key()
    file = key_file(tmp_path, key)
    keyring = Keyring(file)
    assert await keyring.holder(str(text)) == key
    rotated = fresh.model_copy(update={"id": key.id})
    file.change(lambda _: KeyList(keys=(rotated,)))
    keyring.look()
    assert await keyring.holder(str(text)) is None
    assert await keyring.holder(str(KeyText(key.id, fresh_text.secret))) == rotated


async def test_a_file_half_written_or_gone_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text, key = new_key()
    file = key_file(tmp_path, key)
    keyring, whole = Keyring(file), file.path.read_text()
    for damage in (lambda: file.path.write_text(whole[: len(whole) // 2]), file.path.unlink):
        damage()
        keyring.look()
        keyring.look()
        assert await keyring.holder(str(text)) == key
    assert [record.getMessage() for record in caplog.records] == ["keys_unusable"] * 2
    assert key.scrypt not in caplog.text
    file.change(lambda _: KeyList())
    keyring.look()
    assert await keyring.holder(str(text)) is None


async def test_a_start_without_a_readable_file_fails(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{")
    with pytest.raises(KeyFileUnusable):
        Keyring(KeyFile(tmp_path / "keys.json"))


async def test_who_shows_many_wrong_keys_is_told_to_wait(tmp_path: Path) -> None:
    text, key = new_key()
    keyring = Keyring(key_file(tmp_path, key))
    shown = [str(KeyText(text.id, new_key_text().secret)) for _ in range(module.MOST_CHECKS + 3)]
    found = await asyncio.gather(*map(keyring.holder, shown), return_exceptions=True)
    refused = [one for one in found if isinstance(one, Overloaded)]
    assert len(refused) == 3
    assert [one for one in found if one is None] == [None] * module.MOST_CHECKS
    assert await keyring.holder(str(text)) == key


async def test_it_follows_the_file_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_INTERVAL_S", 0.01)
    text, key = new_key()
    file = key_file(tmp_path)
    keyring = Keyring(file)
    following = asyncio.create_task(keyring.follow())
    file.change(lambda _: KeyList(keys=(key,)))
    for _ in range(3000):
        if await keyring.holder(str(text)) is not None:
            break
        await asyncio.sleep(0.01)
    assert await keyring.holder(str(text)) == key
    following.cancel()
