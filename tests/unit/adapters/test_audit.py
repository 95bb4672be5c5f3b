import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adapters.audit import AuditFile
from adapters.errors import ConfigError


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


def test_a_change_is_a_line_behind_the_others(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_text('{"who": "before"}\n')
    AuditFile(path).write("1a2b", "set_label", "digits", "done", label="stable", version=3)
    AuditFile(path).write("insecure", "refresh", None, "store_slow", note="one\ntwo\u2028")
    before, first, second = lines(path)
    assert before == {"who": "before"}
    assert str(first.pop("when")).endswith("+00:00")
    assert first == {
        "who": "1a2b", "action": "set_label", "task": "digits", "result": "done",
        "label": "stable", "version": 3,
    }  # fmt: skip
    assert (second["task"], second["note"]) == (None, "one\ntwo\u2028")


def test_lines_of_many_at_once_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    files = [AuditFile(path) for _ in range(4)]
    with ThreadPoolExecutor(8) as threads:
        list(
            threads.map(
                lambda n: files[n % 4].write("x", "label", "t", "done", n=n, pad="y" * 9000), range(80)
            )
        )
    assert {line["n"] for line in lines(path)} == set(range(80))


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    audit = AuditFile(path)
    audit.write("x", "label", "t", "done")
    path.rename(tmp_path / "audit.1")
    audit.write("x", "label", "t", "done")
    assert len(lines(path)) == len(lines(tmp_path / "audit.1")) == 1
    assert path.stat().st_mode & 0o007 == 0


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="no device that is always full")
def test_a_line_that_cannot_be_written_is_an_error() -> None:
    with pytest.raises(OSError, match="No space left"):
        AuditFile(Path("/dev/full")).write("x", "label", "t", "done")


def test_a_place_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none" / "audit.jsonl"):
        with pytest.raises(ConfigError, match=f"the audit file {path} cannot be written: "):
            AuditFile(path)
