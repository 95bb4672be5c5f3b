"""`dvpt-adapters sign`, `delete`, `prune` and `index`: the upkeep of what a store has already."""

from argparse import Namespace
from pathlib import Path

from adapters.command.arguments import count, positive
from adapters.command.streams import complain
from adapters.command.subcommands import PROGRAM, Subcommands
from adapters.store.signature import Signer
from adapters.store.store import Store


def add_commands(commands: Subcommands) -> None:
    """Add the commands of upkeep."""
    sign = commands.add("sign", _sign, "sign versions that are there, by default all", "sign")
    sign.add_argument("task", nargs="?", help="only this task")
    sign.add_argument("--version", type=positive, metavar="N", help="only this version of the task")
    sign.add_argument("--key", type=Path, required=True, metavar="FILE", help="Ed25519 private key (PEM)")
    delete = commands.add(
        "delete", _delete, "delete a version without labels, or a whole task", "delete_version"
    )
    delete.add_argument("task")
    choice = delete.add_mutually_exclusive_group(required=True)
    choice.add_argument("--version", type=positive, metavar="N")
    choice.add_argument("--all", action="store_true", help="delete the task with every version and label")
    delete.add_argument("--force", action="store_true", help="remove the version's labels, too")
    prune = commands.add("prune", _prune, "delete old versions, and what dead publishes left behind", "prune")
    prune.add_argument("tasks", nargs="*", metavar="task", help="default: all tasks")
    prune.add_argument(
        "--keep", type=count, required=True, metavar="N",
        help="keep the newest N versions, and those a label names or a rollback would reach",
    )  # fmt: skip
    commands.add("index", _index, "look at everything and write the index that a service starts from")


def _sign(store: Store, options: Namespace) -> int:
    if options.version and not options.task:
        return complain(PROGRAM, "--version needs a task", 2)
    signer = Signer.open(options.key)
    records = [store.task(options.task)] if options.task else list(store.records().values())
    for record in records:
        versions = (record.require_version(options.version),) if options.version else record.versions
        for version in versions:
            store.sign(record.name, version, signer)
            print(f"{record.name}/{version} is signed")
    return 0


def _delete(store: Store, options: Namespace) -> int:
    if options.all:
        options.action = "delete_task"
        store.delete_task(options.task)
        print(f"deleted task {options.task}")
    else:
        store.delete_version(options.task, options.version, force=options.force)
        print(f"deleted version {options.version} of {options.task}")
    return 0


def _prune(store: Store, options: Namespace) -> int:
    for task in options.tasks or store.task_folders():
        removed = ", ".join(map(str, store.prune(task, options.keep))) or "nothing"
        print(f"{task}: removed {removed}")
    return 0


def _index(store: Store, options: Namespace) -> int:
    del options
    print(f"indexed {store.write_index()} tasks")
    return 0
