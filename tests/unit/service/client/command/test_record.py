"""What a record keeps, and that nobody else writes to it."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.client.command.record import Record, RecordUnusable, Row

ASKED = {"task": "pets", "top_k": 1}
CRASH = """
import os, sys
from pathlib import Path
from service.client.command.record import Record, Row
record = Record(Path(sys.argv[1]), {"task": "pets", "top_k": 1})
record.add([Row("a.png", {"label": "x"}, None, None), Row("b.png", None, "unreadable", "gone")])
record._base.execute("BEGIN")
record._base.execute("INSERT INTO pictures VALUES (?, '{}', NULL, NULL)", (b"half.png",))
os.kill(os.getpid(), 9)
"""


def answered(path: str) -> Row:
    return Row(path, {"label": "x"}, None, None)


def test_answers_and_failures_are_kept_by_path(tmp_path: Path) -> None:
    with Record(tmp_path / "r", ASKED) as record:
        assert record.is_empty()
        record.add([answered("b.png"), Row("c.png", None, "unreadable", "gone")])
        record.add([answered("a.png"), answered("b.png")])
        assert record.counts() == (2, 1)
        assert [row.path for row in record.rows(failed=False)] == ["a.png", "b.png"]
        (failed,) = record.rows(failed=True)
        assert (failed.path, failed.answer, failed.code, failed.detail) == (
            "c.png",
            None,
            "unreadable",
            "gone",
        )
        assert record.has(Path("a.png"))
        assert not record.has(Path("c.png"))
        record.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_goes_on_knows_what_is_answered_and_forgets_what_failed(tmp_path: Path) -> None:
    with Record(tmp_path / "r", ASKED) as record:
        record.add([answered("a.png"), Row("c.png", None, "unreadable", "gone")])
    with Record(tmp_path / "r", ASKED) as record:
        assert record.counts() == (1, 0)


def test_what_was_kept_outlives_a_killed_process_and_halves_do_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CRASH, str(tmp_path / "r")]
    assert subprocess.run(command, check=False).returncode == -9
    with Record(tmp_path / "r", ASKED) as record:
        assert [row.path for row in record.rows(failed=False)] == ["a.png"]


def test_another_run_is_refused(tmp_path: Path) -> None:
    with Record(tmp_path / "r", ASKED) as record:
        record.add([answered("a.png")])
        with pytest.raises(RecordUnusable, match="another run is using it"):
            Record(tmp_path / "r", ASKED)
    with pytest.raises(RecordUnusable, match="asked"):
        Record(tmp_path / "r", {"task": "pets", "top_k": 2})
    Record(tmp_path / "r", ASKED).remove()


def test_a_file_that_is_no_record_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "r").write_text("not a database, but long enough to be looked at" * 100)
    before = (tmp_path / "r").read_bytes()
    with pytest.raises(RecordUnusable, match="not a database"):
        Record(tmp_path / "r", ASKED)
    assert (tmp_path / "r").read_bytes() == before
    with pytest.raises(RecordUnusable, match="unable to open"):
        Record(tmp_path / "none" / "r", ASKED)


def test_without_room_nothing_of_a_request_is_kept(tmp_path: Path) -> None:
    with Record(tmp_path / "r", ASKED) as record:
        record.add([answered("a.png")])
        record._base.execute("PRAGMA max_page_count = 5")
        with pytest.raises(RecordUnusable, match="full"):
            record.add([Row(f"{number}.png", {"label": "x" * 1000}, None, None) for number in range(100)])
    with Record(tmp_path / "r", ASKED) as record:
        assert record.counts() == (1, 0)


NAMES = st.binary(min_size=1, max_size=20).filter(lambda name: b"\0" not in name)


@given(st.lists(st.tuples(NAMES, st.booleans()), max_size=20))
def test_whatever_the_system_allows_is_a_path(
    tmp_path_factory: pytest.TempPathFactory, given_rows: list[tuple[bytes, bool]]
) -> None:
    rows = [
        answered(name.decode(errors="surrogateescape"))
        if good
        else Row(name.decode(errors="surrogateescape"), None, "unreadable", "é")
        for name, good in given_rows
    ]
    expected = {row.path: row.answer is not None for row in rows}
    path = tmp_path_factory.mktemp("record") / "r"
    with Record(path, ASKED) as record:
        for row in rows:
            record.add([row])
        kept = {row.path: row.answer is not None for row in record.rows(failed=False)}
        kept |= {row.path: row.answer is not None for row in record.rows(failed=True)}
    assert kept == expected
    assert sqlite3.connect(path).execute("SELECT count(*) FROM pictures").fetchone() == (len(expected),)
