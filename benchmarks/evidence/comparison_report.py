"""The report's sections on every method and every task, from the rows of the comparison and of few shots."""

import io
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from matplotlib.figure import Figure
from scipy.special import stdtrit

from benchmarks.evidence.comparison import (
    FEW_SHOT,
    FEW_SHOT_NAMES,
    FEW_SHOT_SETTINGS,
    GROUPS,
    SHOTS,
    SMALL,
    SUITE,
    Setting,
    competitors,
    few_shot_name,
)
from benchmarks.evidence.finished_runs import Row, from_hex
from benchmarks.evidence.trial import OWN_LR
from training.card.markdown import table
from training.methods.table import AUTO
from training.uncertainty import CONFIDENCE, difference_interval

NOT_YET = "not run yet"
OFFERED = (AUTO, "default")
"""What is held against every method."""
Cell = Callable[[Sequence[Row]], str]
_SETTINGS = tuple(setting for group in GROUPS.values() for setting in group)


@dataclass(frozen=True)
class Found:
    """The tested rows by variant; those of val are kept apart."""

    tested: Mapping[str, Sequence[Row]]
    looked: Sequence[Row]

    @classmethod
    def of(cls, rows: Sequence[Row], suite: str) -> "Found":
        """The rows of one suite."""
        tested: dict[str, list[Row]] = {}
        for row in rows:
            if row.suite == suite and row.split == "test":
                tested.setdefault(row.variant, []).append(row)
        return cls(tested, [row for row in rows if row.suite == suite and row.split == "val"])

    def at(self, setting: Setting, name: str) -> Sequence[Row]:
        """The tests of one competitor in one setting."""
        return self.tested.get(f"{setting.name}:{name}", ())


def comparison_sections(rows: Sequence[Row]) -> list[str]:
    """Accuracies, what is lost against the best, means, calibration, cost, few pictures."""
    found = Found.of(rows, SUITE)
    parts = [_INTRODUCTION]
    for title, settings in GROUPS.items():
        if any(found.at(setting, name) for setting in settings for name in _names()):
            parts.append(f"### Accuracy, {title}\n\n{_accuracies(found, settings)}")
            parts.append(f"### Points below the best method, {title}\n\n{_below_the_best(found, settings)}")
        else:
            parts.append(f"### Accuracy, {title}\n\n{NOT_YET}")
    parts += [
        _means_compared(found),
        f"### Learning rates chosen on val\n\n{_by_setting(found, _rate)}",
        f"### Expected calibration error, before and after a temperature\n\n{_by_setting(found, _errors)}",
        _taken(found),
        _cost(found),
    ]
    return [*parts, *_few_shot(Found.of(rows, FEW_SHOT))]


def t_half_width(values: Sequence[float]) -> float | None:
    """Half the 95 % interval of their mean by Student's t; None for fewer than two."""
    if len(values) < 2:
        return None
    return float(stdtrit(len(values) - 1, 0.5 + CONFIDENCE / 2)) * stdev(values) / math.sqrt(len(values))


_INTRODUCTION = """## Every method on every task

`dvpt-train` as it is by default, but for the method and its learning rate: the best of two on val after
training on train with seed 0, then trained on both and tested once with each seed. `auto` and `linear` choose
for themselves, without test pictures. `default` is `dvpt-train` without any other option, which is dvpt-plus,
and searches nothing. `adapter-8` is `sequential-8`, `full` trains the whole backbone; neither can be served.
± is half the 95 % interval of the mean over seeds (Student's t); a figure without it is of one seed.

    python -m benchmarks.evidence run comparison-64 few-shot comparison-64-seeds comparison-224 \\
      comparison-224-seeds"""
_COMPARED = """### Means over tasks, compared

Over the tasks at 64 pixels that both have been tested on with several seeds. The first interval is of these
tasks, for other seeds and other pictures; the second takes the tasks for a sample of others, and is wider.
Without such tasks those with one seed are taken, and the first is marked: there it is of the pictures
alone."""
_FEW_PICTURES = """## Few pictures

So many of each class, drawn anew for each seed; each method at its own learning rate, nothing searched but by
`auto`. ± as above."""


def _names() -> tuple[str, ...]:
    return tuple(one.name for one in competitors())


def _mean(group: Sequence[Row]) -> float:
    return fmean(row.accuracy for row in group)


def _with_half_width(values: Sequence[float], digits: int = 4) -> str:
    half = t_half_width(values)
    return f"{fmean(values):.{digits}f}" + ("" if half is None else f" ± {half:.{digits}f}")


def _grid(settings: Sequence[Setting], lines: Sequence[tuple[str, ...]], *last: str) -> str:
    return table(("method", *(setting.name for setting in settings), *last), lines)


def _accuracies(found: Found, settings: Sequence[Setting]) -> str:
    lines = []
    for name in _names():
        groups = [found.at(setting, name) for setting in settings]
        cells = [_with_half_width([row.accuracy for row in group]) if group else NOT_YET for group in groups]
        lines.append((name, *cells, _mean_over(groups)))
    return _grid(settings, lines, "mean")


def _mean_over(groups: Sequence[Sequence[Row]]) -> str:
    """Over settings, with the interval over the seeds that all of them have; only where all have been run."""
    if not all(groups):
        return NOT_YET
    seeds = set.intersection(*({row.seed for row in group} for group in groups))
    by_seed = [fmean(row.accuracy for group in groups for row in group if row.seed == seed) for seed in seeds]
    return _with_half_width(by_seed)


def _below_the_best(found: Found, settings: Sequence[Setting]) -> str:
    """In hundredths of accuracy; the best of each setting has 0.0."""
    best = {
        setting.name: max(map(_mean, filter(None, (found.at(setting, name) for name in _names()))), default=0)
        for setting in settings
    }
    lines = []
    for name in _names():
        groups = {setting.name: found.at(setting, name) for setting in settings}
        points = {at: 100 * (best[at] - _mean(group)) for at, group in groups.items() if group}
        cells = [f"{points[at]:.1f}" if at in points else NOT_YET for at in groups]
        lines.append((name, *cells, f"{max(points.values()):.1f}" if points else NOT_YET))
    return _grid(settings, lines, "most")


def _means_compared(found: Found) -> str:
    header = ("", "minus", "tasks", "mean difference", "95 %, these tasks", "95 %, tasks like these")
    lines = [
        line
        for offered in OFFERED
        for name in _names()
        if name != offered and (line := _difference(found, offered, name))
    ]
    return f"{_COMPARED}\n\n{table(header, lines) if lines else NOT_YET}"


def _difference(found: Found, a: str, b: str) -> tuple[str, ...] | None:
    """Settings are independent, so their squared half widths add up."""
    pairs = [(found.at(setting, a), found.at(setting, b)) for setting in SMALL]
    answered = [pair for pair in pairs if all(group and _answered(group) for group in pair)]
    pairs = [pair for pair in answered if all(len(group) > 1 for group in pair)] or answered
    if not pairs:
        return None
    intervals = [difference_interval(_answers(left), _answers(right)) for left, right in pairs]
    differences = [_mean(left) - _mean(right) for left, right in pairs]
    middle = fmean(differences)
    half = math.sqrt(sum(((one.high - one.low) / 2) ** 2 for one in intervals)) / len(intervals)
    alone = "" if all(one.over_seeds for one in intervals) else " (pictures alone)"
    tasks = t_half_width(differences)
    others = "" if tasks is None else f"{middle - tasks:+.4f} to {middle + tasks:+.4f}"
    seeds = f"{middle - half:+.4f} to {middle + half:+.4f}{alone}"
    return a, b, str(len(pairs)), f"{middle:+.4f}", seeds, others


def _answered(group: Sequence[Row]) -> bool:
    return all(row.pictures for row in group)


def _answers(group: Sequence[Row]) -> list[list[bool]]:
    return [from_hex(row.correct, row.pictures) for row in group]


def _by_setting(found: Found, cell: Cell) -> str:
    """A line for each setting of which anything is known."""
    lines = []
    for setting in _SETTINGS:
        cells = [cell(group) if (group := found.at(setting, name)) else "" for name in _names()]
        if any(cells):
            lines.append((setting.name, *(text or NOT_YET for text in cells)))
    return table(("task", *_names()), lines) if lines else NOT_YET


def _rate(group: Sequence[Row]) -> str:
    return f"{group[0].lr:g}" if group[0].lr != OWN_LR else "own"


def _errors(group: Sequence[Row]) -> str:
    """Means over seeds."""
    before = [row.error_before for row in group if row.error_before is not None]
    after = [row.error_after for row in group if row.error_after is not None]
    return f"{fmean(before):.3f} → {fmean(after):.3f}" if before and after else ""


def _taken(found: Found) -> str:
    """What auto ended with, seed by seed."""
    counted = {setting.name: Counter(row.method for row in found.at(setting, AUTO)) for setting in _SETTINGS}
    lines = [
        (name, ", ".join(f"{method} {times}" for method, times in counts.most_common()))
        for name, counts in counted.items()
        if counts
    ]
    return f"### What auto takes\n\n{table(('task', 'method and seeds'), lines) if lines else NOT_YET}"


def _cost(found: Found) -> str:
    """Means over a group's settings; processor seconds of a run and its search, where there was no GPU."""
    header = (
        "backbone", "method", "trained values", "bytes of the adapter", "s a run", "s of its search on val"
    )  # fmt: skip
    lines = []
    for title, settings in GROUPS.items():
        for name in _names():
            tested = [row for setting in settings for row in found.at(setting, name)]
            rows = [row for row in tested if row.seconds is not None and not row.device]
            if not rows:
                continue
            variants = {f"{setting.name}:{name}" for setting in settings}
            searched = [row for row in found.looked if row.variant in variants and not row.device]
            places = len({row.variant for row in searched})
            search = f"{sum(row.seconds or 0 for row in searched) / places:.0f}" if places else ""
            weighed = [row.adapter_bytes for row in rows if row.adapter_bytes]
            lines.append(
                (
                    title, name, f"{fmean(row.values or 0 for row in rows):,.0f}",
                    f"{fmean(weighed):,.0f}" if weighed else "not served",
                    f"{fmean(row.seconds or 0 for row in rows):.0f}", search,
                )
            )  # fmt: skip
    words = (
        "Processor seconds from pictures to the published adapter, of runs without a GPU; the search of\n"
        "`auto` is in its run, one that was made on a GPU has none. Values are with the head.\n\n"
    )
    return "### Cost\n\n" + (words + table(header, lines) if lines else NOT_YET)


def _few_shot(found: Found) -> list[str]:
    if not found.tested:
        return [f"{_FEW_PICTURES}\n\n{NOT_YET}"]
    names = [one.name for one in competitors(FEW_SHOT_NAMES)]
    parts = [_FEW_PICTURES]
    for setting in FEW_SHOT_SETTINGS:
        lines = []
        for shots in SHOTS:
            groups = [found.tested.get(few_shot_name(setting, name, shots), ()) for name in names]
            cells = [_with_half_width([row.accuracy for row in rows]) if rows else NOT_YET for rows in groups]
            lines.append((str(shots), *cells))
        parts.append(f"### {setting.name}\n\n{table(('of each class', *names), lines)}")
    return parts


def few_shot_plot(rows: Sequence[Row]) -> bytes | None:
    """The curves as PNG; None without any row."""
    found = Found.of(rows, FEW_SHOT)
    if not found.tested:
        return None
    figure = Figure(figsize=(9, 4), layout="constrained")
    for axes, setting in zip(figure.subplots(1, len(FEW_SHOT_SETTINGS)), FEW_SHOT_SETTINGS, strict=True):
        for one in competitors(FEW_SHOT_NAMES):
            curve = {
                shots: [row.accuracy for row in group]
                for shots in SHOTS
                if (group := found.tested.get(few_shot_name(setting, one.name, shots)))
            }
            halves = [t_half_width(values) or 0.0 for values in curve.values()]
            means = [fmean(values) for values in curve.values()]
            axes.errorbar(list(curve), means, yerr=halves, marker="o", capsize=3, label=one.name)
        axes.set(
            title=setting.name, xlabel="training pictures of each class", ylabel="test accuracy", xscale="log"
        )
        axes.set_ylim(0, 1)
        axes.set_xticks(SHOTS, [str(shots) for shots in SHOTS])
        axes.grid(alpha=0.3)
        axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
