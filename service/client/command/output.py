"""The files of a finished run: answers as CSV, JSON lines or Parquet, and the failures beside them."""

import csv
import importlib.util
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from adapters.command.streams import as_utf8
from service.client.command.record import Row

GROUP_ROWS = 10_000


def write_answers(target: Path, rows: Iterable[Row], top_k: int) -> None:
    """Write the answers in the format that the name ends with; a file that is there is replaced at the end.

    Raises OSError.
    """
    _replace(target, partial(FORMATS[target.suffix.lower()], rows=rows, top_k=top_k))


def write_failures(target: Path, rows: Iterable[Row]) -> None:
    """Write path, code and detail of each failure as CSV. Raises OSError."""
    _replace(target, partial(_failures, rows=rows))


def why_not(target: Path) -> str | None:
    """Why a file cannot be written in the format of its name, if it cannot."""
    if target.suffix.lower() not in FORMATS:
        return f"{target}: the name must end with {', '.join(FORMATS)}"
    if target.suffix.lower() == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        return "Parquet needs pyarrow: pip install 'dvpt-serve[client,parquet]'"
    if not target.parent.is_dir():
        return f"{target.parent}: there is no such folder"
    return None


def _replace(target: Path, write: Callable[[Path], None]) -> None:
    partly = target.with_name(target.name + ".writing")
    try:
        write(partly)
        with partly.open("rb") as written:
            os.fsync(written.fileno())
        partly.replace(target)
    except BaseException:
        with suppress(OSError):
            partly.unlink()
        raise


def _csv(target: Path, rows: Iterable[Row], top_k: int) -> None:
    head = ["path", "version", "label", "probability", "accepted", "reason"]
    head += [f"{name}_{rank}" for rank in range(2, top_k + 1) for name in ("label", "probability")]
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        for row in rows:
            answer = _answer(row)
            flat = [answer[name] for name in head[1:6]]
            flat += [found[name] for found in answer["classes"][1:] for name in ("label", "probability")]
            writer.writerow([as_utf8(row.path), *flat, *[None] * (len(head) - 1 - len(flat))])


def _jsonl(target: Path, rows: Iterable[Row], top_k: int) -> None:
    del top_k
    with target.open("w", encoding="utf-8") as file:
        for row in rows:
            line = {"path": as_utf8(row.path), **_answer(row)}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _parquet(target: Path, rows: Iterable[Row], top_k: int) -> None:
    import pyarrow as pa  # noqa: PLC0415 -- an extra of its own, and slow to import
    import pyarrow.parquet as pq  # noqa: PLC0415

    del top_k
    found = [("index", pa.int32()), ("label", pa.string()), ("probability", pa.float32())]
    schema = pa.schema(
        [
            ("path", pa.string()),
            ("version", pa.int32()),
            ("label", pa.string()),
            ("probability", pa.float32()),
            ("accepted", pa.bool_()),
            ("reason", pa.string()),
            ("classes", pa.list_(pa.struct(found))),
        ]
    )
    with pq.ParquetWriter(target, schema) as writer:
        for group in _groups({"path": as_utf8(row.path), **_answer(row)} for row in rows):
            writer.write_table(pa.Table.from_pylist(group, schema))


def _failures(target: Path, rows: Iterable[Row]) -> None:
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "code", "detail"])
        writer.writerows((as_utf8(row.path), row.code, as_utf8(row.detail or "")) for row in rows)


def _answer(row: Row) -> dict[str, Any]:
    return {**(row.answer or {})}


def _groups(lines: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while group := list(islice(lines, GROUP_ROWS)):
        yield group


FORMATS: dict[str, Callable[..., None]] = {".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}
