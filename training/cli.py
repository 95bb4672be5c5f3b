"""`dvpt-train`: from pictures to a published adapter."""

import logging
import shlex
import sys
from collections.abc import Sequence

from adapters.command.streams import as_utf8, open_streams
from adapters.threads import keep_to_cores, wait_briefly
from training.command import run_command
from training.errors import DataUnusable
from training.harmless import harmless
from training.methods.table import AUTO
from training.options.arguments import parse_arguments
from training.options.recipes import RECIPES
from training.path_text import text_of
from training.search.search_config import SearchConfig

DESCRIPTION = (
    "Train an adapter for a task on a frozen Vision Transformer, and publish it to a store. "
    "Most runs need --task alone, and --data for pictures of your own: the defaults of the other groups are "
    "good enough. --check looks through the pictures, --dry-run says what a run would do and cost."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. 0; 1 for what cannot be trained, 130 or 143 at a signal; usage errors exit with 2."""
    open_streams()
    wait_briefly()
    arguments = list(sys.argv[1:] if argv is None else argv)
    config = parse_arguments(
        SearchConfig, arguments, prog="dvpt-train", description=DESCRIPTION, recipes=RECIPES
    )
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("training").setLevel(logging.INFO)
    command = as_utf8(shlex.join(["dvpt-train", *arguments]))
    goes_on = "interrupted; the same command goes on after the last whole epoch"
    return run_command("dvpt-train", lambda: _train(config, command), goes_on)


def _train(config: SearchConfig, command: str) -> str:
    """Search, say what would be done, or train; what a user wants to know at the end."""
    # Only now, because torch and timm take seconds to import: help and usage errors come at once.
    from training.auto.summary import auto  # noqa: PLC0415
    from training.run.dry_run import dry_run  # noqa: PLC0415
    from training.run.execution import execute  # noqa: PLC0415
    from training.run.publish import published_lines  # noqa: PLC0415
    from training.run.run import Run  # noqa: PLC0415
    from training.run.summary import summary  # noqa: PLC0415
    from training.run.workbench import KEPT_BYTES, Workbench  # noqa: PLC0415
    from training.search.summary import search  # noqa: PLC0415

    if config.check:
        return _check(config)
    keep_to_cores()
    if config.method == AUTO:
        return auto(config, command)
    if config.search:
        return search(config, command)
    # Pictures are decoded once for the linear head, the training and the test.
    run = Run(config.plain(), Workbench(KEPT_BYTES))
    if config.dry_run:
        return dry_run(run)
    run.explain()
    outcome = execute(run, command)
    with harmless("summary", f"what was measured stands in {outcome.run}"):
        return summary(run, outcome)
    return "\n".join(published_lines(run.config, outcome.store, outcome.version))


def _check(config: SearchConfig) -> str:
    """Print what the data is, and write a page of it. Raises DataUnusable for what a run would refuse."""
    from training.data.inspection.check import check_data  # noqa: PLC0415
    from training.data.inspection.contact_sheet import contact_sheet  # noqa: PLC0415
    from training.run_directory import RunDirectory  # noqa: PLC0415

    checked = check_data(config)
    page = config.runs / f"check-{config.published_name}.html"
    config.runs.mkdir(parents=True, exist_ok=True)
    RunDirectory(config.runs).write_text(page.name, contact_sheet(checked, config.published_name))
    sys.stdout.write(f"{checked.report()}\npage of pictures: {text_of(page.absolute())}\n")
    if checked.refusals:
        raise DataUnusable("; ".join(checked.refusals))
    return "the data can be trained on; nothing was trained (--check)"


if __name__ == "__main__":
    sys.exit(main())
