"""`dvpt-train`: from pictures to a published adapter."""

import logging
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adapters.errors import DvptError
from training.methods.table import METHODS
from training.options.arguments import parse_arguments
from training.options.recipes import RECIPES
from training.options.train_config import TrainConfig
from training.search.search_config import SearchConfig

if TYPE_CHECKING:
    from training.run.run import Outcome, Run

DESCRIPTION = (
    "Train an adapter for a task on a frozen Vision Transformer, and publish it to a store. "
    "Most runs need --task alone, and --data for pictures of your own: the defaults of the other groups are "
    "good enough. --dry-run says beforehand what a run would do and cost."
)
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. Returns 0; 1 with a message for what cannot be trained; usage errors exit with 2."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    config = parse_arguments(
        SearchConfig, arguments, prog="dvpt-train", description=DESCRIPTION, recipes=RECIPES
    )
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
    from training.search.summary import search  # noqa: PLC0415

    if config.search:
        return search(config, command)
    run = Run(config.plain())
    return dry_run(run) if config.dry_run else summary(run, run.execute(command))


def summary(run: "Run", outcome: "Outcome") -> str:
    """What a user wants to know at the end."""
    config, findings = run.config, outcome.findings
    store = shlex.quote(str(outcome.store))
    facts = outcome.provenance
    counts = facts["parameters"]
    lines = [
        f"accuracy on {findings.split}: {findings.predictions.accuracy:.4f} ± {findings.standard_error:.4f} "
        f"({len(findings.predictions.labels)} pictures)",
        f"parameters: {counts['with_head']:,} with head, {counts['without_head']:,} without",
        *_notes(facts),
        f"seconds: {outcome.seconds:.1f}, training {facts['training_seconds']:.1f}",
        f"run directory: {outcome.run}",
    ]
    if outcome.version is None:
        return "\n".join([*lines, _not_published(config)])
    return "\n".join(
        [
            *lines,
            f"published: {config.published_name} version {outcome.version} in {outcome.store}",
            f"try it: dvpt-adapters classify --store {store} {config.published_name} PICTURE",
            f"serve it: dvpt-serve --store {store}",
        ]
    )


def _notes(facts: Mapping[str, Any]) -> list[str]:
    """What early stopping and calibration did, where they were asked for."""
    lines = []
    if stopped := facts.get("early_stopping"):
        lines.append(f"best epoch on val, which counts: {stopped['epoch']} ({stopped['val_accuracy']:.4f})")
    if found := facts.get("calibration"):
        lines.append(
            f"temperature: {found['temperature']:.3f}; calibration error {found['error_before']:.4f} before, "
            f"{found['error_after']:.4f} with it"
        )
    return lines


def _not_published(config: TrainConfig) -> str:
    if METHODS[config.method].served:
        return "not published (--no-publish)"
    return (
        f"not published: a service cannot run {config.method}; "
        "the trained tensors are in the run directory's checkpoint.safetensors"
    )


if __name__ == "__main__":
    sys.exit(main())
