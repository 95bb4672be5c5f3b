"""`dvpt-keys`, as it is called."""

import json
from pathlib import Path

import pytest

from service.access.cli import main
from service.access.key_file import KeyFile
from service.access.secret import matches, parsed


def run(tmp_path: Path, *arguments: str) -> int:
    return main(["--keys", str(tmp_path / "keys.json"), *arguments])


def test_a_key_is_printed_once_and_kept_as_a_hash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--scope", "classify", "--scope", "metrics", "--tasks", "retail-*", "--expires-in", "90d")
    assert run(tmp_path, "create", "acme", *options, "--requests-per-s", "5") == 0
    shown = capsys.readouterr()
    text = parsed(shown.out.strip())
    assert text is not None
    assert text.secret not in shown.err
    (key,) = KeyFile(tmp_path / "keys.json").read().keys
    assert matches(text.secret, key.hashed)
    assert key.expires is not None
    assert (key.id, key.name, key.tasks, key.requests_per_s) == (text.id, "acme", ("retail-*",), 5)
    assert [str(scope) for scope in key.scopes] == ["classify", "metrics"]
    assert (key.expires - key.created).days == 90


def test_keys_are_listed_without_their_hashes_and_revoked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        run(tmp_path, "create", name)
    first, second = KeyFile(tmp_path / "keys.json").read().keys
    assert run(tmp_path, "revoke", first.id) == 0
    before = KeyFile(tmp_path / "keys.json").read()
    assert run(tmp_path, "revoke", first.id) == 0
    assert KeyFile(tmp_path / "keys.json").read() == before
    capsys.readouterr()
    assert run(tmp_path, "list") == 0
    assert run(tmp_path, "list", "--json") == 0
    shown = capsys.readouterr().out
    assert not any(secret in shown for key in (first, second) for secret in (key.salt, key.scrypt))
    table, rows = shown.splitlines()[:-1], json.loads(shown.splitlines()[-1])
    assert [line.split()[:3] for line in table[1:]] == [
        [first.id, "one", "revoked"],
        [second.id, "two", "valid"],
    ]
    assert [row["state"] for row in rows] == ["revoked", "valid"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["create", ""], 2, "name: String should have at least 1 character"),
        (["create", "a", "--tasks", "a/b"], 2, "tasks.0"),
        (["create", "a", "--requests-per-s", "0"], 2, "requests_per_s"),
        (["list"], 1, "cannot be read: No such file"),
        (["revoke", "0123456789ab"], 1, "cannot be read: No such file"),
    ],
)
def test_what_is_wrong_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    assert run(tmp_path, *arguments) == code
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "keys.json").exists()


def test_a_key_that_is_not_there_is_not_revoked_and_nor_are_those_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, "create", "one")
    before = KeyFile(tmp_path / "keys.json").read()
    assert run(tmp_path, "revoke", before.keys[0].id, "0123456789ab") == 1
    assert "has no key 0123456789ab" in capsys.readouterr().err
    assert KeyFile(tmp_path / "keys.json").read() == before


@pytest.mark.parametrize("duration", ["3y", "0d", "-1d", "1.5d", "d"])
def test_a_duration_is_days_or_hours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], duration: str
) -> None:
    with pytest.raises(SystemExit):
        run(tmp_path, "create", "one", f"--expires-in={duration}")
    assert "is no duration" in capsys.readouterr().err


def test_the_file_may_be_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DVPT_KEYS", raising=False)
    with pytest.raises(SystemExit):
        main(["list"])
    monkeypatch.setenv("DVPT_KEYS", str(tmp_path / "keys.json"))
    assert main(["create", "one"]) == 0
    assert len(KeyFile(tmp_path / "keys.json").read().keys) == 1
