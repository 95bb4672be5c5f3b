"""The report's section on the parts of the default recipe."""

from collections.abc import Sequence
from statistics import fmean

from benchmarks.evidence import instances
from benchmarks.evidence.comparison import Setting
from benchmarks.evidence.comparison_report import NOT_YET, t_half_width
from benchmarks.evidence.finished_runs import Row
from benchmarks.evidence.recipe import CHANGES, DEFAULT, SETTINGS, SUITE
from training.card.markdown import table

_INTRODUCTION = """## The default recipe, part by part

dvpt-plus as `dvpt-train` trains it by default, and with one thing changed: accuracy on val after training on
train, so that no test picture chooses a default. The difference is the mean over settings and seeds, each
beside the default's run of the same seed, with its 95 % interval (Student's t over these pairs, which takes
settings for a sample of others).

    python -m benchmarks.evidence run default-recipe"""


_INSTANCES = """## Where instances differ

Does the dynamic part earn its place? The same on tasks whose pictures differ in what the label does not say:
EuroSAT with each picture turned by any angle, EuroSAT under a light and a colour cast of each picture's own,
and EuroSAT, flowers5 and dtd10 as one task. `pi-in-the-affine-too` adds π to the first block's first shift as
well as to the prompts; `pi-of-each-layers-tokens` makes a π for each layer from the tokens that it reads, as
VAPT does (`benchmarks/evidence/pi_readings.py`).

    python -m benchmarks.evidence run instances"""


def recipe_section(rows: Sequence[Row]) -> str:
    """A line for each change, a column for each setting."""
    return f"{_INTRODUCTION}\n\n{_changes(rows, SUITE, SETTINGS, tuple(CHANGES))}"


def instances_section(rows: Sequence[Row]) -> str:
    """A line for each reading, a column for each setting."""
    lines = _changes(rows, instances.SUITE, instances.SETTINGS, tuple(instances.READINGS))
    return f"{_INSTANCES}\n\n{lines}"


def _changes(rows: Sequence[Row], suite: str, settings: Sequence[Setting], changes: Sequence[str]) -> str:
    found = {(row.variant, row.seed): row.accuracy for row in rows if row.suite == suite}
    names = [setting.name for setting in settings]
    lines = [
        (change, *(_cell(found, name, change) for name in names), *_over(found, change)) for change in changes
    ]
    heads = ("changed", *names, "it minus the default, points", "95 %", "pairs")
    return table(heads, lines)


def _cell(found: dict[tuple[str, int], float], setting: str, change: str) -> str:
    values = [accuracy for (variant, _), accuracy in found.items() if variant == f"{setting}:{change}"]
    return f"{fmean(values):.3f}" if values else NOT_YET


def _over(found: dict[tuple[str, int], float], change: str) -> tuple[str, str, str]:
    """The mean difference, its interval, and of how many pairs."""
    pairs = [
        100 * (accuracy - found[usual, seed])
        for (variant, seed), accuracy in found.items()
        for setting, _, name in [variant.partition(":")]
        for usual in [f"{setting}:{DEFAULT}"]
        if name == change != DEFAULT and (usual, seed) in found
    ]
    if not pairs:
        return "", "", ""
    mean, half = fmean(pairs), t_half_width(pairs)
    interval = "" if half is None else f"{mean - half:+.1f} to {mean + half:+.1f}"
    return f"{mean:+.1f}", interval, str(len(pairs))
