"""`dvpt-adapters`: look into a store, verify it, move labels, tidy up, carry adapters, try them."""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence

from adapters.audit import AuditFile
from adapters.command import classify, import_export, inspection, labels, thresholds, traffic, upkeep
from adapters.command.audited import run_audited
from adapters.command.streams import closed, complain, open_streams
from adapters.command.subcommands import PROGRAM, Subcommands
from adapters.errors import DvptError
from adapters.pictures.decode import silence_pillow
from adapters.store.store import Store


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 if all went well, 1 if something failed, 2 for a usage error."""
    open_streams()
    silence_pillow()
    parser = _parser()
    options = parser.parse_args(arguments)
    if not options.store:
        parser.error("say which store: --store DIR, or DVPT_STORE in the environment")
    try:
        audit = AuditFile(options.audit) if options.audit else None
        code = run_audited(audit, Store.open(options.store), options)
    except BrokenPipeError:
        code = 1
    except (DvptError, OSError) as error:
        code = complain(PROGRAM, error)
    except KeyboardInterrupt:
        code = 130
    return closed(code)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog=PROGRAM, description=__doc__.replace("`", ""))
    commands = Subcommands(parser)
    inspection.add_commands(commands)
    labels.add_commands(commands)
    traffic.add_command(commands)
    thresholds.add_command(commands)
    upkeep.add_commands(commands)
    import_export.add_commands(commands)
    classify.add_command(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
