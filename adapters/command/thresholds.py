"""`dvpt-adapters thresholds`: from which probability on answers by a label are accepted."""

from argparse import ArgumentTypeError, Namespace

from adapters.command.arguments import part
from adapters.command.listing import json_text
from adapters.command.streams import complain
from adapters.command.subcommands import PROGRAM, Subcommands
from adapters.store.label_rules import LabelThresholds
from adapters.store.label_thresholds import rule_thresholds
from adapters.store.store import Store


def add_command(commands: Subcommands) -> None:
    """Add `thresholds`."""
    thresholds = commands.add(
        "thresholds",
        _thresholds,
        "say from which probability on answers by a label are accepted, or show it",
        "set_thresholds",
    )
    thresholds.add_argument("task")
    thresholds.add_argument("label")
    thresholds.add_argument(
        "--class", dest="classes", action="append", type=_class_part, default=[], metavar="NAME=P",
        help="for answers with this class; several may be given",
    )  # fmt: skip
    thresholds.add_argument("--default", type=part, metavar="P", help="for the other classes")
    thresholds.add_argument(
        "--none-of-these", type=part, metavar="P", help="below it a picture is taken for none of the classes"
    )
    thresholds.add_argument("--off", action="store_true", help="take them away: the version's own hold again")


def _thresholds(store: Store, options: Namespace) -> int:
    given = LabelThresholds(
        classes=dict(options.classes) or None, default=options.default, none_of_these=options.none_of_these
    )
    if options.off and given != LabelThresholds():
        return complain(PROGRAM, "--off takes all thresholds away, so it goes with no other", 2)
    if options.off or given != LabelThresholds():
        label = rule_thresholds(store, options.task, options.label, None if options.off else given)
    else:
        label = store.label(options.task, options.label)
    ruled = label.rules.thresholds if label.rules else None
    print(json_text(ruled.model_dump()) if ruled else "none but those of the version")
    return 0


def _class_part(text: str) -> tuple[str, float]:
    name, equals, number = text.rpartition("=")
    if not (name and equals):
        raise ArgumentTypeError(f"{text!r} is not NAME=P")
    return name, part(number)
