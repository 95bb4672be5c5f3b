"""`dvpt-train`: from pictures to a published adapter."""

import logging
import shlex
import sys
from collections.abc import Sequence

from adapters.errors import DvptError
from training.options.arguments import parse_arguments
from training.search.search_config import SearchConfig

DESCRIPTION = (
    "Train an adapter for a task on a frozen Vision Transformer, and publish it to a store. "
    "Most runs need --task alone, and --data for pictures of your own: the defaults of the other groups are "
    "good enough. --dry-run says beforehand what a run would do and cost."
)
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. Returns 0; 1 with a message for what cannot be trained; usage errors exit with 2."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    config = parse_arguments(SearchConfig, arguments, prog="dvpt-train", description=DESCRIPTION)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("training").setLevel(logging.INFO)
    try:
        print(_train(config, shlex.join(["dvpt-train", *arguments])))
    except DvptError as error:
        print(f"dvpt-train: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # a disk that is full, a file that may not be read: the message has the path
        print(f"dvpt-train: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("dvpt-train: interrupted; the same command goes on after the last whole epoch", file=sys.stderr)
        return INTERRUPTED
    return 0


def _train(config: SearchConfig, command: str) -> str:
    """Search, say what would be done, or train; what a user wants to know at the end."""
    # Only now, because torch and timm take seconds to import: help and usage errors come at once.
    from training.run.dry_run import dry_run  # noqa: PLC0415
    from training.run.run import Run  # noqa: PLC0415
    from training.run.summary import summary  # noqa: PLC0415
    from training.search.summary import search  # noqa: PLC0415

    if config.search:
        return search(config, command)
    run = Run(config.plain())
    return dry_run(run) if config.dry_run else summary(run, run.execute(command))


if __name__ == "__main__":
    sys.exit(main())
