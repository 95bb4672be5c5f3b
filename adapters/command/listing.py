"""What a store holds, as data for `--json` and as text for people."""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from adapters.command.streams import printable
from adapters.config import STABLE
from adapters.errors import DvptError
from adapters.kinds.adapter_config import AdapterConfig
from adapters.store.page import Page
from adapters.store.store import Store
from adapters.store.task_record import TaskRecord

CLASSES_SHOWN = 20
VERSIONS_SHOWN = 10


def task_rows(store: Store, page: Page) -> tuple[list[dict[str, Any]], bool]:
    """One row for each task of a page, and whether there are more behind it; a limit of 0 is none.

    Method and classes are those of its stable version, or else of its newest. Only the adapters of the page
    are opened.
    """
    rows: list[dict[str, Any]] = []
    for name in page.names(store.task_folders()):
        if page.limit and len(rows) == page.limit:
            return rows, True
        if record := store.record(name):
            rows.append(_task_row(store, record))
    return rows, False


def version_row(store: Store, task: str, version: int) -> dict[str, Any]:
    """Everything the store says of one version. Raises VersionNotFound or ArtifactFormat."""
    record = store.task(task)
    return {
        "task": task,
        "version": version,
        "versions": list(record.versions),
        "labels": dict(record.labels),
        "problems": list(record.problems),
        "config": store.config(task, version).model_dump(mode="json"),
        "card": sorted(store.card(task, version)),
    }


def label_rows(store: Store, task: str) -> list[dict[str, Any]]:
    """The labels of a task, the versions they named before newest first. Raises TaskNotFound."""
    return [
        {"label": name, "version": at.version, "previous": list(reversed(at.history)), "etag": at.etag}
        for name, at in store.labels(task).items()
    ]


def labels_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows of `label_rows` as a table."""
    cells = [
        (row["label"], str(row["version"]), _numbers(row["previous"][:VERSIONS_SHOWN]), row["etag"])
        for row in rows
    ]
    return table([("LABEL", "VERSION", "BEFORE", "ETAG"), *cells])


def shown_version(record: TaskRecord) -> int | None:
    """The version to show of a task when none is named: the stable one, or else the newest."""
    return record.labels.get(STABLE, record.versions[-1] if record.versions else None)


def tasks_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows of `task_rows` as a table."""
    if not rows:
        return "no tasks yet"
    cells = [
        (
            row["task"],
            _numbers(row["versions"]),
            _labels(row["labels"]),
            row["method"] or "?",
            str(row["classes"] or "?"),
        )
        for row in rows
    ]
    return table([("TASK", "VERSIONS", "LABELS", "METHOD", "CLASSES"), *cells])


def version_text(row: Mapping[str, Any]) -> str:
    """The row of `version_row` as lines of name and value."""
    config = AdapterConfig.model_validate(row["config"])
    more = ", …" if len(config.classes) > CLASSES_SHOWN else ""
    lines = [
        ("task", row["task"]),
        ("version", f"{row['version']} of {_numbers(row['versions'])}"),
        ("labels", _labels(row["labels"])),
        ("method", config.method),
        ("options", _options(row["config"]["options"])),
        ("head", "linear" if config.head_layers == 1 else f"{config.head_layers} linear maps"),
        ("preprocess", _options(row["config"]["preprocess"])),
        ("classes", f"{len(config.classes)}: {', '.join(config.classes[:CLASSES_SHOWN])}{more}"),
        ("backbone", config.backbone_sha256),
        ("tensors", config.tensors_sha256),
        ("card", ", ".join(row["card"]) or "-"),
        *((f"provenance.{name}", _value(value)) for name, value in config.provenance.items()),
        *(("problem", problem) for problem in row["problems"]),
    ]
    return table(lines)


def json_text(content: Any) -> str:
    """What `--json` prints."""
    return json.dumps(content, indent=2, ensure_ascii=False)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells → aligned columns."""
    clean = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip_longest(*clean, fillvalue="")]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)) for row in clean)
    return "\n".join(line.rstrip() for line in lines)


def _task_row(store: Store, record: TaskRecord) -> dict[str, Any]:
    row: dict[str, Any] = {
        "task": record.name,
        "versions": list(record.versions),
        "labels": dict(record.labels),
        "method": None,
        "classes": None,
        "problems": list(record.problems),
    }
    version = shown_version(record)
    if version is None:
        return row
    try:
        config = store.config(record.name, version)
    except DvptError as error:
        return row | {"problems": [*record.problems, str(error)]}
    return row | {"method": config.method, "classes": len(config.classes)}


def _numbers(versions: Iterable[int]) -> str:
    return ", ".join(map(str, versions)) or "-"


def _labels(labels: Mapping[str, int]) -> str:
    return ", ".join(f"{label}={version}" for label, version in labels.items()) or "-"


def _options(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in options.items())


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
