"""`dvpt-adapters label`, `rollback`, `pin` and `unpin`: which version a label names."""

from argparse import ArgumentParser, Namespace

from adapters.command.arguments import add_replacing, positive
from adapters.command.subcommands import Subcommands
from adapters.config import PIN_LABEL, STABLE
from adapters.store.store import Store


def add_commands(commands: Subcommands) -> None:
    """Add the commands that move labels."""
    label = commands.add("label", _label, "point a label at a version, or remove it", "set_label")
    label.add_argument("task")
    label.add_argument("label")
    choice = label.add_mutually_exclusive_group(required=True)
    choice.add_argument("version", type=positive, nargs="?")
    choice.add_argument("--remove", action="store_true", help="remove the label")
    add_replacing(label)
    _add_if_match(label)
    rollback = commands.add("rollback", _rollback, "move a label back to the version before", "roll_back")
    rollback.add_argument("task")
    rollback.add_argument("--label", default=STABLE, help="default: %(default)s")
    add_replacing(rollback)
    _add_if_match(rollback)
    pin = commands.add("pin", _pin, "have services keep a version, and the stable one, in memory", "pin_task")
    pin.add_argument("task")
    pin.add_argument("--version", type=positive, metavar="N", help=f"default: {STABLE}")
    unpin = commands.add("unpin", _unpin, "let services drop a task from memory", "unpin_task")
    unpin.add_argument("task")


def _add_if_match(parser: ArgumentParser) -> None:
    parser.add_argument("--if-match", metavar="ETAG", help="only if the label is as `labels` showed it")


def _label(store: Store, options: Namespace) -> int:
    expected = options.if_match and (options.if_match.strip('"'),)
    if options.remove:
        options.action = "remove_label"
        store.remove_label(options.task, options.label, expected=expected)
        print(f"removed label {options.label} of {options.task}")
    else:
        store.set_label(
            options.task, options.label, options.version,
            replace_classes=options.replace_classes, expected=expected,
        )  # fmt: skip
        print(f"{options.task}: {options.label} = version {options.version}")
    return 0


def _rollback(store: Store, options: Namespace) -> int:
    expected = options.if_match and (options.if_match.strip('"'),)
    version = store.rollback(
        options.task, options.label, replace_classes=options.replace_classes, expected=expected
    )
    print(f"{options.task}: {options.label} = version {version}")
    options.facts["version"] = version
    return 0


def _pin(store: Store, options: Namespace) -> int:
    version = store.resolve(options.task, version=options.version)
    store.set_label(options.task, PIN_LABEL, version, replace_classes=True)
    print(f"pinned {options.task} version {version}")
    options.facts["version"] = version
    return 0


def _unpin(store: Store, options: Namespace) -> int:
    store.remove_label(options.task, PIN_LABEL)
    print(f"unpinned {options.task}")
    return 0
