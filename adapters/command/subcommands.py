"""The commands of `dvpt-adapters`: each is added by the file that runs it."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from adapters.environment import variable
from adapters.store.store import Store

PROGRAM = "dvpt-adapters"


class Subcommands:
    """Commands that take a store; those that change it also take where the change is recorded."""

    def __init__(self, parser: ArgumentParser) -> None:
        self._added = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(
        self, name: str, run: Callable[[Store, Namespace], int], about: str, action: str | None = None
    ) -> ArgumentParser:
        """The parser of a new command, for its own arguments.

        With an `action`, its name in the audit trail, the command is one that changes the store.
        """
        added = self._added.add_parser(name, help=about, description=about)
        added.add_argument(
            "--store", metavar="DIR", default=variable("DVPT_STORE"),
            help="the store's directory (default: DVPT_STORE)",
        )  # fmt: skip
        added.set_defaults(run=run, action=action, facts={}, audit=None)
        if action is not None:
            added.add_argument(
                "--audit", type=Path, metavar="FILE", default=variable("DVPT_AUDIT"),
                help="append a line for this change to a file (default: DVPT_AUDIT)",
            )  # fmt: skip
        return added
