"""The index of a store: what was there as of one entry of the journal, in one file (docs/adr/0028)."""

import sys
from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from typing import Literal, NotRequired

from pydantic import ConfigDict, NonNegativeInt, PositiveInt, TypeAdapter, ValidationError, with_config
from pydantic_core import to_json
from typing_extensions import TypedDict

from adapters.config import FORMAT_VERSION, StrictModel
from adapters.errors import ArtifactError
from adapters.store.files import Files, Stamp
from adapters.store.journal import JOURNAL_FOLDER, Journal, Position, entry_key
from adapters.store.label_rules import LabelRules
from adapters.store.names import is_task_name
from adapters.store.strict_json import parse_json
from adapters.store.task_record import NO_RULES, TaskRecord

INDEX_FILE = f"{JOURNAL_FOLDER}/index.jsonl"
Look = Callable[[Iterable[str] | None], Mapping[str, TaskRecord]]
"""Reads the records of some tasks, or of all."""


class IndexHead(StrictModel):
    """The first line: `number` and `entry_id` are those of the last entry that the index has taken in."""

    format_version: Literal[1] = FORMAT_VERSION
    backbone_sha256: str
    number: PositiveInt
    entry_id: str
    tasks: NonNegativeInt


@with_config(ConfigDict(extra="forbid", strict=True))
class IndexedTask(TypedDict):
    """Each further line: a task's versions with their configurations' stamps, its labels, and their rules."""

    task: str
    versions: dict[PositiveInt, Stamp]
    labels: dict[str, PositiveInt]
    rules: NotRequired[dict[str, LabelRules]]


LINE = TypeAdapter(IndexedTask)


def read_index(files: Files, backbone_sha256: str) -> tuple[dict[str, TaskRecord], Position] | None:
    """The records of the index and the position to read the journal from.

    None where there is no index, or one that is damaged, of another store, or older than the journal.
    """
    try:
        lines = BytesIO(files.read(INDEX_FILE))
        head = parse_json(IndexHead, lines.readline(), INDEX_FILE)
    except (FileNotFoundError, ArtifactError):
        return None
    stamp, entry = files.stamp(entry_key(head.number)), Journal(files).entry(head.number)
    if stamp is None or entry is None or entry.id != head.entry_id or head.backbone_sha256 != backbone_sha256:
        return None
    records: dict[str, TaskRecord] = {}
    try:
        for record in map(_record, lines):
            if record.name in records or not is_task_name(record.name):
                return None
            records[record.name] = record
    except ValidationError:
        return None
    return (records, Position(head.number, stamp, entry.id)) if len(records) == head.tasks else None


def write_index(files: Files, backbone_sha256: str, look: Look) -> int:
    """Write the index from a look at everything; the number of tasks in it."""
    journal = Journal(files)
    position = journal.position()
    if position.number == 0 or journal.entry(position.number) is None:
        journal.append(None)
        position = journal.position()
    return _write(files, backbone_sha256, position, look(None))


def renew_index(files: Files, backbone_sha256: str, look: Look) -> int:
    """As `write_index`, but where there is an index look only at the tasks that were named since."""
    known = read_index(files, backbone_sha256)
    news = Journal(files).after(known[1]) if known else None
    if known is None or news is None:
        return write_index(files, backbone_sha256, look)
    return _write(files, backbone_sha256, news.position, {**known[0], **look(news.tasks)})


def _write(files: Files, backbone_sha256: str, position: Position, records: Mapping[str, TaskRecord]) -> int:
    entry = Journal(files).entry(position.number)
    if entry is None:  # compacted during a look that took that long: the next index will do
        return 0
    tasks = [_line(record) for record in records.values() if record.versions]
    head = IndexHead(
        backbone_sha256=backbone_sha256, number=position.number, entry_id=entry.id, tasks=len(tasks)
    )
    files.put(INDEX_FILE, b"".join(to_json(line) + b"\n" for line in (head, *tasks)))
    return len(tasks)


def _line(record: TaskRecord) -> IndexedTask:
    line = IndexedTask(task=record.name, versions=dict(record.stamps), labels=dict(record.labels))
    if record.rules:
        line["rules"] = dict(record.rules)
    return line


def _record(line: bytes) -> TaskRecord:
    task = LINE.validate_json(line)
    stamps = dict(sorted(task["versions"].items()))
    labels = {sys.intern(label): at for label, at in task["labels"].items() if at in stamps}
    rules = {label: rules for label, rules in task.get("rules", {}).items() if label in labels}
    return TaskRecord(task["task"], tuple(stamps), labels, stamps=stamps, rules=rules or NO_RULES)
