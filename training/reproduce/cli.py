"""`dvpt-reproduce`: the paper's tables and figure, from the data at hand."""

import logging
import shlex
import sys
from collections.abc import Sequence
from typing import Any

from adapters.command.streams import as_utf8, open_streams
from adapters.threads import keep_to_cores, wait_briefly
from training.command import run_command
from training.options.arguments import build_parser, parse_arguments
from training.options.train_config import TrainConfig
from training.reproduce.reproduce_config import NOT_FOR_EVERY_RUN, ReproduceConfig

EXPERIMENTS = ("table1", "table2", "table3", "fig3")
PROG = f"dvpt-reproduce {{{','.join(EXPERIMENTS)}}}"
DESCRIPTION = (
    "Run what is missing of a table or figure of the paper, and render it beside the paper's numbers. "
    "What stands behind -- are options of dvpt-train for every run."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. 0; 1 for what cannot be done, 130 or 143 at a signal; usage errors exit with 2."""
    open_streams()
    wait_briefly()
    arguments = list(sys.argv[1:] if argv is None else argv)
    name, options, more = _parse(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("training").setLevel(logging.INFO)
    command = as_utf8(shlex.join(["dvpt-reproduce", *arguments]))
    goes_on = "interrupted; the same command goes on where it was"
    return run_command("dvpt-reproduce", lambda: _reproduce(name, options, more, command), goes_on)


def _parse(arguments: list[str]) -> tuple[str, ReproduceConfig, dict[str, Any]]:
    """The experiment, its options, and options of `dvpt-train`."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    own, others = arguments[:end], arguments[end + 1 :]
    if own and own[0] not in {*EXPERIMENTS, "-h", "--help"}:
        parser = build_parser(ReproduceConfig, prog=PROG, description=DESCRIPTION)
        parser.error(f"expected one of {', '.join(EXPERIMENTS)} first, not '{own[0]}'")
    named, flags = (own[0], own[1:]) if own and own[0] in EXPERIMENTS else ("", own or ["--help"])
    options = parse_arguments(ReproduceConfig, flags, prog=PROG, description=DESCRIPTION)
    return named, options, _train_options(others)


def _train_options(flags: list[str]) -> dict[str, Any]:
    """Flags of `dvpt-train` as they were given; those that would change nothing are usage errors."""
    parser = build_parser(TrainConfig, prog=f"{PROG} --", description=DESCRIPTION, filed=("task",))
    given = vars(parser.parse_args(flags))
    before = dict.fromkeys(ReproduceConfig.model_fields, "stands before --")
    for name in given:
        if why := {**before, **NOT_FOR_EVERY_RUN}.get(name):
            parser.error(f"argument --{name.replace('_', '-')}: {why}")
    return given


def _reproduce(name: str, options: ReproduceConfig, more: dict[str, Any], command: str) -> str:
    # Only now, because torch and timm take seconds to import: help and usage errors come at once.
    from training.reproduce.experiments import EXPERIMENTS as KNOWN  # noqa: PLC0415
    from training.reproduce.reproduce import Reproduction  # noqa: PLC0415

    keep_to_cores()
    reproduction = Reproduction(KNOWN[name], options, more)
    if options.dry_run:
        return reproduction.outlook()
    files = reproduction.execute(command)
    missing = [f"missing: {what}: {why}" for what, why in reproduction.missing.items()]
    return "\n".join([*missing, *(f"written: {path}" for path in files)])


if __name__ == "__main__":
    sys.exit(main())
