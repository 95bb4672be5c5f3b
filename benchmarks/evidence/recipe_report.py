"""The report's section on the parts of the default recipe."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from benchmarks.evidence import instances
from benchmarks.evidence.comparison import Setting
from benchmarks.evidence.comparison_report import NOT_YET, t_half_width
from benchmarks.evidence.finished_runs import Row
from benchmarks.evidence.recipe import CHANGES, DEFAULT, SETTINGS, SUITE, TWICE
from training.card.markdown import table

_INTRODUCTION = f"""## The default recipe, part by part

dvpt-plus under a former recipe (learning rate 0.004 for all parts, a fifth held back for seven tenths of
the epochs), and with something changed; `{DEFAULT}` is the default
now: `moved` pictures are so where a linear head says that they may be (ADR 39). A task's training pictures
are in five folds (`benchmarks/evidence/folds.py`): a whole run on four of them, with what it holds back and
calibrates, is looked at on the fifth, so that no test picture chooses a default. The difference is the mean
over settings and folds, each beside the former recipe on the same fold, with its 95 % interval (Student's t
over the settings' means, which takes settings for a sample of others). The error is the expected calibration
error; of so few pictures it is high for a perfect one too.

    python -m benchmarks.evidence run recipe"""
_STEPS = f"""### Twice the steps

The default, `{DEFAULT}`, beside itself with 800 steps in place of 400, on the folds that
both have been looked at on."""

_INSTANCES = """## Where instances differ

Does the dynamic part earn its place? The same on tasks whose pictures differ in what the label does not say:
EuroSAT with each picture turned by any angle, EuroSAT under a light and a colour cast of each picture's own,
and EuroSAT, flowers5 and dtd10 as one task. `pi-in-the-affine-too` adds π to the first block's first shift as
well as to the prompts; `pi-of-each-layers-tokens` makes a π for each layer from the tokens that it reads, as
VAPT does (`benchmarks/evidence/pi_readings.py`).

    python -m benchmarks.evidence run instances"""


def recipe_section(rows: Sequence[Row]) -> str:
    """A line for each change, a column for each setting; then the default with twice the steps."""
    changes = _changes(rows, SUITE, SETTINGS, tuple(CHANGES))
    return f"{_INTRODUCTION}\n\n{changes}\n\n{_STEPS}\n\n{_changes(rows, SUITE, SETTINGS, (DEFAULT, TWICE))}"


def instances_section(rows: Sequence[Row]) -> str:
    """A line for each reading, a column for each setting."""
    lines = _changes(rows, instances.SUITE, instances.SETTINGS, tuple(instances.READINGS))
    return f"{_INSTANCES}\n\n{lines}"


def _changes(rows: Sequence[Row], suite: str, settings: Sequence[Setting], changes: Sequence[str]) -> str:
    """Beside the first of the changes, on the folds that it has been looked at on."""
    names, usual = [setting.name for setting in settings], changes[0]
    every = {(row.variant, row.seed): row for row in rows if row.suite == suite}
    found = {
        key: row for key, row in every.items() if (f"{key[0].partition(':')[0]}:{usual}", key[1]) in every
    }
    lines = []
    for change in changes:
        cells = [_cell(found, name, change) for name in names]
        lines.append((change, *cells, *_over(found, change, usual), _error(found, change)))
    heads = ("changed", *names, f"it minus {usual}, points", "95 %", "pairs", "error")
    return table(heads, lines)


def _cell(found: Mapping[tuple[str, int], Row], setting: str, change: str) -> str:
    values = [row.accuracy for (variant, _), row in found.items() if variant == f"{setting}:{change}"]
    return f"{fmean(values):.3f}" if values else NOT_YET


def _over(found: Mapping[tuple[str, int], Row], change: str, usual: str) -> tuple[str, str, str]:
    """The mean difference to what is usual, its interval, and of how many pairs."""
    pairs: dict[str, list[float]] = {}
    for (variant, seed), row in found.items():
        setting, _, name = variant.partition(":")
        if name == change != usual:
            other = found[f"{setting}:{usual}", seed]
            pairs.setdefault(setting, []).append(100 * (row.accuracy - other.accuracy))
    if not pairs:
        return "", "", ""
    means = [fmean(own) for own in pairs.values()]
    mean, half = fmean(means), t_half_width(means)
    interval = "" if half is None else f"{mean - half:+.1f} to {mean + half:+.1f}"
    return f"{mean:+.1f}", interval, str(sum(map(len, pairs.values())))


def _error(found: Mapping[tuple[str, int], Row], change: str) -> str:
    """The mean calibration error after the temperature."""
    errors = [
        row.error_after
        for (variant, _), row in found.items()
        if variant.endswith(f":{change}") and row.error_after is not None
    ]
    return f"{fmean(errors):.3f}" if errors else ""
