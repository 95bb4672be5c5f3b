"""Hugging Face datasets, of the hub by name or of a folder; `datasets` is an extra."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.data.departures import SplitName
from training.data.readers.split_names import ALIASES, split_named
from training.data.remarks import Remark
from training.data.source import Split, TaskData, listed
from training.errors import DataNotFound, DataUnusable, OptionsUnusable

LABELS = ("label", "labels", "class", "category", "target", "fine_label")
SAVED = ("dataset_dict.json", "state.json")


@dataclass(frozen=True)
class RowPicture:
    """A row of a table whose pictures are files, read when they are wanted."""

    table: Any
    column: str
    row: int

    def read_bytes(self) -> bytes:
        """The picture's file."""
        cell = self.table[self.row][self.column]
        if cell is None:
            return b""
        if cell["bytes"] is not None:
            return bytes(cell["bytes"])
        return Path(cell["path"]).read_bytes()


def read_dataset(name: str) -> TaskData:
    """A dataset as `owner/name`, `owner/name:configuration`, or a folder (`save_to_disk`, Parquet, pictures).

    Raises DataNotFound where it cannot be had, DataUnusable without one column of pictures and one of labels,
    OptionsUnusable where `datasets` is not installed.
    """
    try:
        import datasets  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise OptionsUnusable(
            f"dataset {name}: needs the library datasets: pip install 'dvpt-serve[datasets]'"
        ) from error
    tables = _opened(datasets, name)
    first = next(iter(tables.values()))
    picture, label = _picture_column(datasets, name, first), _label_column(datasets, name, first)
    parts = _parts(name, tables)
    classes = _classes(datasets, parts, label)
    splits: dict[SplitName, Split] = {}
    unlabelled: list[str] = []
    for split, table in parts.items():
        splits[split] = _split(datasets, split, table, picture, label, classes)
        unlabelled += [f"{split}/{row}" for row, value in enumerate(table[label]) if value in (None, -1)]
    splits = {split: part for split, part in splits.items() if len(part)}
    others = tuple(f"{one} ({len(table):,})" for one, table in tables.items() if not split_named(one))
    remarks = (
        Remark("left_out", "pictures without a label", tuple(unlabelled)),
        Remark("left_out", "other splits", others),
    )
    return TaskData(classes, splits, f"dataset {name}", remarks=tuple(one for one in remarks if one.names))


def _opened(datasets: Any, name: str) -> Mapping[str, Any]:
    place, _, configuration = name.partition(":")
    folder = Path(name) if Path(name).is_dir() else None
    try:
        if folder and any((folder / saved).is_file() for saved in SAVED):
            found = datasets.load_from_disk(str(folder))
        else:
            found = datasets.load_dataset(str(folder.absolute()) if folder else place, configuration or None)
    except Exception as error:  # the library raises whatever hub, network, builder and cache met
        raise DataNotFound(
            f"dataset {name} cannot be had: {' '.join(str(error).split())[:300]}; it is no folder here either"
            if folder is None
            else f"the folder {name} is no dataset: {' '.join(str(error).split())[:300]}"
        ) from error
    return dict(found) if isinstance(found, dict) else {"train": found}


def _picture_column(datasets: Any, name: str, table: Any) -> str:
    columns = [column for column, kind in table.features.items() if isinstance(kind, datasets.Image)]
    if len(columns) != 1:
        raise DataUnusable(
            f"dataset {name}: expected one column of pictures, found {listed(columns) or 'none'} among "
            f"{listed(list(table.features))}"
        )
    return str(columns[0])


def _label_column(datasets: Any, name: str, table: Any) -> str:
    columns = [column for column, kind in table.features.items() if isinstance(kind, datasets.ClassLabel)]
    known = [column for column in LABELS if column in (columns or table.features)]
    if len(columns) == 1 or known:
        return str(columns[0] if len(columns) == 1 else known[0])
    raise DataUnusable(
        f"dataset {name}: which column is the label? found {listed(list(table.features))}; call it label"
    )


def _parts(name: str, tables: Mapping[str, Any]) -> Mapping[SplitName, Any]:
    named = {split: [one for one in tables if split_named(one) == split] for split in ALIASES}
    twice = [one for found in named.values() if len(found) > 1 for one in found]
    if twice or not named["train"]:
        raise DataUnusable(
            f"dataset {name}: expected one split train, and val and test, found {listed(list(tables))}"
        )
    return {split: tables[found[0]] for split, found in named.items() if found}


def _classes(datasets: Any, parts: Mapping[SplitName, Any], label: str) -> tuple[str, ...]:
    kind = parts["train"].features[label]
    if isinstance(kind, datasets.ClassLabel):
        return tuple(kind.names)
    values = {value for table in parts.values() for value in table[label] if value is not None}
    return tuple(map(str, sorted(values)))


def _split(
    datasets: Any, split: SplitName, table: Any, picture: str, label: str, classes: tuple[str, ...]
) -> Split:
    encoded = table.select_columns([picture]).cast_column(picture, datasets.Image(decode=False))
    named = {name: index for index, name in enumerate(classes)}
    whole = isinstance(table.features[label], datasets.ClassLabel)
    labels = [value if whole or value is None else named[str(value)] for value in table[label]]
    rows = [row for row, value in enumerate(labels) if value is not None and value >= 0]
    return Split(
        tuple(f"{split}/{row}" for row in rows),
        tuple(labels[row] for row in rows),
        tuple(RowPicture(encoded, picture, row) for row in rows),
    )
