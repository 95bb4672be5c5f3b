"""Lists of pictures: CSV or Parquet with the columns path, label and, optionally, split."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.data.departures import SplitName
from training.data.readers.class_order import in_order
from training.data.readers.split_names import ALIASES, split_named
from training.data.readers.text_file import file_name, read_text
from training.data.remarks import Remark
from training.data.source import Split, TaskData, listed
from training.errors import DataUnusable, OptionsUnusable
from training.path_text import text_of

LAYOUT = "a list, .csv, .tsv or .parquet, with the columns path,label[,split], paths relative to its folder"
SUFFIXES = (".csv", ".tsv", ".parquet")
COLUMNS = {
    "path": ("path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path"),
    "label": ("label", "class", "category", "target", "class_name", "label_name"),
    "split": ("split", "set", "subset", "partition"),
}


@dataclass(frozen=True)
class Row:
    """One picture of a list; `place` says where it stands there."""

    place: str
    path: str
    label: str
    split: str | None


def read_list(file: Path, *, skip_missing: bool = False) -> TaskData:
    """The list's pictures; labels are numbers, in their order, or words, in that of the alphabet.

    Raises DataUnusable for a header or a line that is not understood, and for files that are not there unless
    `skip_missing`; OptionsUnusable where Parquet cannot be read here.
    """
    rows = list(_parquet(file) if file.suffix.lower() == ".parquet" else _csv(file))
    if not rows:
        raise DataUnusable(f"{text_of(file)}: no pictures; expected {LAYOUT}")
    found = [(row, _picture(file.parent, row.path)) for row in rows]
    missing = tuple(f"{row.path} ({row.place})" for row, picture in found if picture is None)
    if missing and not skip_missing:
        raise DataUnusable(
            f"{text_of(file)}: {len(missing)} of its {len(rows)} pictures are not there: {listed(missing)} "
            "(--skip-damaged goes on without them)"
        )
    there = [(row, picture) for row, picture in found if picture is not None]
    classes = in_order({row.label for row, _ in there})
    parts = _parts(file, there)
    splits = {name: _split(part, classes) for name, part in parts.items()}
    remarks = (Remark("left_out", "files of the list that are not there", missing),) if missing else ()
    return TaskData(classes, splits, f"list {text_of(file.name)}", remarks=remarks)


def _csv(file: Path) -> Iterator[Row]:
    text = read_text(file)
    # Not by lines of text, of which a name may hold the ends that csv does not know: U+0085, U+2028.
    header = io.StringIO(text, newline="").readline()
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = _columns(file, next(reader, []))
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield _row(file, f"line {reader.line_num}", cells, columns)
    except csv.Error as error:
        raise DataUnusable(f"{text_of(file)}, line {reader.line_num}: {error}") from error


def _parquet(file: Path) -> Iterator[Row]:
    try:
        import pyarrow  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise OptionsUnusable(
            f"{text_of(file)}: Parquet needs pyarrow: pip install 'dvpt-serve[parquet]'"
        ) from error
    try:
        schema = parquet.read_schema(file)
        columns = _columns(file, schema.names)
        _check_paths(file, schema.field(columns["path"]))
        table = parquet.read_table(file)
    except pyarrow.ArrowException as error:
        raise DataUnusable(f"{text_of(file)} is no Parquet file: {error}") from error
    values = (table.column(name).to_pylist() for name in table.column_names)
    for number, cells in enumerate(zip(*values, strict=True)):
        yield _row(file, f"row {number}", ["" if cell is None else str(cell) for cell in cells], columns)


def _check_paths(file: Path, column: Any) -> None:
    """Raise DataUnusable for pictures in the place of paths, as in the files of a Hugging Face dataset."""
    if str(column.type).startswith(("struct", "binary", "large_binary", "fixed_size_binary", "list")):
        raise DataUnusable(
            f"{text_of(file)}: the column {column.name} holds the pictures themselves and no paths; "
            f"give the folder: --dataset {text_of(file.parent)}"
        )


def _columns(file: Path, header: Sequence[str]) -> Mapping[str, int]:
    """Column → its position, by the names that people give it."""
    names = [name.strip().casefold() for name in header]
    places = {
        column: [names.index(alias) for alias in aliases if alias in names]
        for column, aliases in COLUMNS.items()
    }
    if not places["path"] or not places["label"]:
        raise DataUnusable(
            f"{text_of(file)}: the first line must name the columns, found {listed(names) or 'nothing'}; "
            f"expected {LAYOUT}"
        )
    return {column: found[0] for column, found in places.items() if found}


def _row(file: Path, place: str, cells: Sequence[str], columns: Mapping[str, int]) -> Row:
    if len(cells) <= max(columns.values()):
        raise DataUnusable(f"{text_of(file)}, {place}: {len(cells)} columns, fewer than the header has")
    values = {column: cells[at].strip() for column, at in columns.items()}
    empty = [column for column, value in values.items() if not value]
    if empty:
        raise DataUnusable(f"{text_of(file)}, {place}: no {' and no '.join(empty)}")
    path, label = file_name(values["path"]), text_of(file_name(values["label"]))
    return Row(place, path, label, values.get("split"))


def _picture(folder: Path, name: str) -> Path | None:
    """The file, also where the list was written on Windows."""
    places = (folder / name, folder / name.replace("\\", "/"))
    return next((place for place in places if place.is_file()), None)


def _parts(file: Path, rows: Sequence[tuple[Row, Path]]) -> Mapping[SplitName, list[tuple[Row, Path]]]:
    if all(row.split is None for row, _ in rows):
        return {"train": list(rows)}
    parts: dict[SplitName, list[tuple[Row, Path]]] = {name: [] for name in ALIASES}
    for row, picture in rows:
        split = split_named(row.split or "")
        if split is None:
            known = "; ".join(f"{name}: {', '.join(aliases)}" for name, aliases in ALIASES.items())
            raise DataUnusable(f"{text_of(file)}, {row.place}: split '{row.split}' is none of {known}")
        parts[split].append((row, picture))
    if not parts["train"]:
        raise DataUnusable(f"{text_of(file)}: no picture of the split train")
    return {name: part for name, part in parts.items() if part}


def _split(part: Sequence[tuple[Row, Path]], classes: Sequence[str]) -> Split:
    label = {name: index for index, name in enumerate(classes)}
    return Split(
        tuple(text_of(row.path) for row, _ in part),
        tuple(label[row.label] for row, _ in part),
        tuple(picture for _, picture in part),
    )


def is_list(path: Path) -> bool:
    """Whether `--data` names a list, not a folder."""
    return path.is_file() and path.suffix.lower() in SUFFIXES
