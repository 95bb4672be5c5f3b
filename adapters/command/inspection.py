"""`dvpt-adapters list`, `show`, `labels` and `verify`: look into a store and change nothing."""

from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from adapters.command.arguments import add_version, count
from adapters.command.listing import (
    json_text,
    label_rows,
    labels_text,
    shown_version,
    table,
    task_rows,
    tasks_text,
    version_row,
    version_text,
)
from adapters.command.streams import complain
from adapters.command.subcommands import PROGRAM, Subcommands
from adapters.config import STABLE
from adapters.errors import DvptError
from adapters.store.journal import JOURNAL_FOLDER
from adapters.store.page import Page
from adapters.store.signature import Trust
from adapters.store.store import Store

LISTED = 1000


def add_commands(commands: Subcommands) -> None:
    """Add the commands that only look."""
    listing = commands.add("list", _list, "list the tasks of a store")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.add_argument(
        "--limit", type=count, default=LISTED, metavar="N",
        help="list N tasks at most, 0 for all (default: %(default)s); the adapter of each is opened",
    )  # fmt: skip
    listing.add_argument("--after", default="", metavar="NAME", help="only tasks whose names come later")
    listing.add_argument("--prefix", default="", metavar="TEXT", help="only tasks whose names begin so")
    listing.add_argument("--search", default="", metavar="TEXT", help="only tasks with this in their names")
    show = commands.add("show", _show, "show one version of a task: options, classes, provenance")
    show.add_argument("task")
    add_version(show, "the stable version, or else the newest")
    show.add_argument("--json", action="store_true", help="print JSON")
    labels = commands.add("labels", _labels, "list a task's labels: versions now and before, ETags")
    labels.add_argument("task")
    labels.add_argument("--json", action="store_true", help="print JSON")
    verify = commands.add(
        "verify", _verify, "load every version with every check and try the journal; 1 for any fault"
    )
    verify.add_argument("task", nargs="?", help="only this task")
    verify.add_argument(
        "--trusted",
        type=Path,
        metavar="FILE",
        help="ask for a signature by one of these public keys (PEM), too",
    )


def _list(store: Store, options: Namespace) -> int:
    page = Page(options.limit, options.after, options.prefix, options.search)
    rows, more = task_rows(store, page)
    print(json_text(rows) if options.json else tasks_text(rows))
    if more:
        complain(PROGRAM, f"there are more tasks: --after {rows[-1]['task']} lists the next, --limit 0 all")
    problems = [problem for row in rows for problem in row["problems"]]
    for problem in problems:
        complain(PROGRAM, problem)
    return 1 if problems else 0


def _show(store: Store, options: Namespace) -> int:
    version = options.version
    if version is None and options.label is None:
        version = shown_version(store.task(options.task))
    version = store.resolve(options.task, version=version, label=options.label or STABLE)
    row = version_row(store, options.task, version)
    print(json_text(row) if options.json else version_text(row))
    return 0


def _labels(store: Store, options: Namespace) -> int:
    rows = label_rows(store, options.task)
    print(json_text(rows) if options.json else labels_text(rows))
    return 0


def _verify(store: Store, options: Namespace) -> int:
    if options.trusted:
        store = replace(store, trust=Trust.open(options.trusted))
    records = [store.task(options.task)] if options.task else list(store.records().values())
    rows, failures = [("ADAPTER", "STATE")], 0
    for record in records:
        rows += [(record.name, f"DAMAGED: {problem}") for problem in record.problems]
        failures += len(record.problems)
        for version in record.versions:
            try:
                store.load(record.name, version)
                rows.append((f"{record.name}/{version}", "ok"))
            except DvptError as error:
                rows.append((f"{record.name}/{version}", f"DAMAGED: {error}"))
                failures += 1
    if fault := store.journal.fault():
        rows.append((JOURNAL_FOLDER, f"NOT WRITABLE: {fault}; services find changes later"))
        failures += 1
    print(table(rows))
    return 1 if failures else 0
