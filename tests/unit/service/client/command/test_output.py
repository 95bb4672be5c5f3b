import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.client.command.output import why_not, write_answers, write_failures
from service.client.command.record import Row


def row(path: str, classes: int, accepted: bool | None = None) -> Row:
    found = [{"index": rank, "label": f"c{rank}", "probability": 0.5 / (rank + 1)} for rank in range(classes)]
    answer = {"version": 3, "label": "c0", "probability": 0.5, "accepted": accepted, "reason": None}
    return Row(path, {**answer, "classes": found}, None, None)


ROWS = [row("a,\n'\".png", 3), row("b\udcff.png", 2, accepted=True), row("é.png", 3, accepted=False)]


def test_a_csv_has_a_column_for_each_rank(tmp_path: Path) -> None:
    write_answers(tmp_path / "a.csv", ROWS, 3)
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        first, second, third = csv.DictReader(file)
    assert first["path"] == "a,\n'\".png"
    assert (first["label"], first["label_2"], first["label_3"]) == ("c0", "c1", "c2")
    assert (second["path"], second["label_3"], second["probability_3"]) == ("b\\xff.png", "", "")
    assert [line["accepted"] for line in (first, second, third)] == ["", "True", "False"]


def test_json_lines_have_every_class(tmp_path: Path) -> None:
    write_answers(tmp_path / "a.jsonl", ROWS, 3)
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text("utf-8").splitlines()]
    assert [line["path"] for line in lines] == ["a,\n'\".png", "b\\xff.png", "é.png"]
    assert [len(line["classes"]) for line in lines] == [3, 2, 3]
    assert [line["accepted"] for line in lines] == [None, True, False]


def test_parquet_has_columns_of_their_own_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("service.client.command.output.GROUP_ROWS", 2)
    write_answers(tmp_path / "a.PARQUET", ROWS, 3)
    table = parquet.read_table(tmp_path / "a.PARQUET")
    assert table.column("accepted").to_pylist() == [None, True, False]
    assert table.column("classes").to_pylist()[1][1] == {"index": 1, "label": "c1", "probability": 0.25}
    assert parquet.ParquetFile(tmp_path / "a.PARQUET").num_row_groups == 2
    write_answers(tmp_path / "none.parquet", [], 3)
    assert parquet.read_table(tmp_path / "none.parquet").schema == table.schema


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_what_was_there_stays_until_the_new_file_is_whole(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"a.{suffix}"
    target.write_text("before")

    def interrupted() -> Iterator[Row]:
        yield ROWS[0]
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_answers(target, interrupted(), 3)
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_failures_are_listed(tmp_path: Path) -> None:
    write_failures(tmp_path / "f.csv", [Row("b\udcff.png", None, "picture_damaged", "cut, short")])
    assert (tmp_path / "f.csv").read_text() == 'path,code,detail\nb\\xff.png,picture_damaged,"cut, short"\n'


def test_what_cannot_be_written_is_told_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert why_not(tmp_path / "a.csv") is None
    assert ".csv, .jsonl, .parquet" in str(why_not(tmp_path / "a.txt"))
    assert "there is no such folder" in str(why_not(tmp_path / "none" / "a.csv"))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert "pip install 'dvpt-serve[client,parquet]'" in str(why_not(tmp_path / "a.parquet"))
