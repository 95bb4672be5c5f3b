"""Renders docs/evidence.md and its plots from the rows, and nothing else."""

import io
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.evidence.comparison import FEW_SHOT, SUITE
from benchmarks.evidence.comparison_report import comparison_sections, few_shot_plot
from benchmarks.evidence.finished_runs import Row, from_hex
from benchmarks.evidence.plan import (
    AUGMENTATIONS,
    AUGMENTED_TASKS,
    PARTS,
    READINGS,
    RECIPE,
)
from benchmarks.evidence.recipe_report import instances_section, recipe_section
from benchmarks.evidence.ties import ties_section
from benchmarks.evidence.trial import BACKBONE
from training.card.markdown import table
from training.uncertainty import difference_interval

REPORT = Path("docs/evidence.md")
SCALE_PLOT = Path("docs/evidence-scale.png")
FEW_SHOT_PLOT = Path("docs/evidence-few-shot.png")
COMPARED = ("dvpt", "linear", "full")
# Of the rows that are there; who adds rows on another machine adds the machine.
ON_A_GPU = {
    "NVIDIA H100 80GB HBM3": "one process for each; Python 3.12, torch 2.11, timm 1.0.31, pillow 12.3",
    "NVIDIA H200": "18 processes; Python 3.12, torch 2.11, timm 1.0.29, pillow 12.3",
}
MEASURED_ON = (
    "Intel(R) Xeon(R) Processor and AMD EPYC, one thread a run on shared 2-core machines, no GPU; Python 3.11.7,\n"
    "torch 2.15.0, timm 1.0.31, pillow 13.0.0"
)


def write_report(rows: Sequence[Row]) -> None:
    """Write docs/evidence.md and the plots of its curves."""
    few_shot = few_shot_plot(rows)
    if few_shot is not None:
        FEW_SHOT_PLOT.write_bytes(few_shot)
    parts = [
        _introduction(rows),
        *comparison_sections(rows),
        recipe_section(rows),
        ties_section(rows),
        instances_section(rows),
        f"![Accuracy over the pictures of each class]({FEW_SHOT_PLOT.name})" if few_shot else "",
        _earlier(rows),
        _methods(rows, "methods-224", "## Methods, EuroSAT at 224 pixels"),
        _methods(rows, "methods-64", "## Methods, EuroSAT at 64 pixels"),
        _readings(rows),
        _recipes(rows),
        _list(rows, "prompts-224", "## More prompts, EuroSAT at 224 pixels"),
        _list(rows, "regularizers", "## Regularizers, EuroSAT at 64 pixels"),
        _augmentation(rows),
        _scale(rows),
    ]
    REPORT.write_text("\n\n".join(part for part in parts if part) + "\n")


def _introduction(rows: Sequence[Row]) -> str:
    days = sorted({row.finished[:10] for row in rows if row.suite != "augmentation"})
    gpus = Counter(row.device for row in rows if row.device)
    elsewhere = "; ".join(
        f"{count:,} runs on one {name} (16 cores, {ON_A_GPU.get(name, 'versions not recorded')})"
        for name, count in gpus.items()
    )
    return f"""# Evidence

Which method, and which reading of DVPT, is best on the data at hand. Backbone: `{BACKBONE}`, and the
[embedded one](embedded-backbone.md) where the text says so. Every table is made from the rows of
`benchmarks/results/evidence.csv`, one for each finished run, with a bit for each test picture:

    python -m benchmarks.evidence report

Differences carry a 95 % interval for other seeds and other pictures
(`training.uncertainty.difference_interval`: Welch's t for the seeds, the pictures they share beside it; in simulated
studies it holds the truth in 93 to 100 of 100, and is on average 1.2 times as wide as an interval that knows the true
variances with five seeds a side, 1.5 times with three, 3 times with two). Where 0 lies inside, the rows do not settle
which side is better. A table of k rows has k such intervals, of which one in twenty misses by chance. Two seeds say
little, and their intervals are as wide as that; where a side has one seed, nothing can be said about other seeds, and
the interval is marked as that of the pictures alone.

Machine: {MEASURED_ON};
{" to ".join(dict.fromkeys([*days[:1], *days[-1:]]))}. Seconds are those of one busy core.
{f"The column `device` tells the others: {elsewhere}." if gpus else "Not measured on a GPU."}"""


def _earlier(rows: Sequence[Row]) -> str:
    """What the tables from before the comparison have in common."""
    if not any(row.suite not in (SUITE, FEW_SHOT) for row in rows):
        return ""
    return """## Under an earlier recipe, EuroSAT

The tables below are of one recipe for all: AdamW, weight decay 1e-4, batch 50, 15 epochs (heads alone 100), warm-up over
a tenth of the steps and a cosine, no augmentation, neither drop path nor label smoothing, bfloat16 backbone; the last
epoch is what counts. Learning rates are chosen on val200 after training on train800 with seed 0, from as many values for
each method of a table; then train800 and val200 together are trained on with each seed, and tested once on 3,000
pictures. Readings, more prompts and regularizers are compared at one learning rate, without a selection of their own.

    python -m benchmarks.evidence run methods-224 readings recipe-224 prompts-224 methods-64 regularizers scale \\
      augmentation more-seeds

The rows at 224 px of seed 0 for DVPT, VPT and linear are those of `python -m benchmarks.real_pictures train`
([results.md](results.md)): the same training, on two threads. ± is the standard deviation between seeds; a figure
without it is of one seed. `more-seeds` has two seeds more of what three leave open by a hair and has not been run;
`augmentation` has been run in part."""


def _methods(rows: Sequence[Row], suite: str, title: str) -> str:
    tested = _by_variant(row for row in rows if row.suite == suite and row.split == "test")
    if not tested:
        return ""
    looked = [row for row in rows if row.suite == suite and row.split == "val"]
    header = (
        "method", "trained parameters", "learning rates on val200", "chosen", "seeds", "accuracy",
        "DVPT minus it", "95 %", "s a run",
    )  # fmt: skip
    lines = []
    for name, group in sorted(tested.items(), key=lambda item: -_mean(item[1])):
        tried = ", ".join(f"{row.lr:g}: {row.accuracy:.3f}" for row in looked if row.variant == name)
        seconds = np.mean([row.train_seconds for row in group])
        lines.append(
            (
                name,
                f"{group[0].parameters:,}",
                tried,
                f"{group[0].lr:g}",
                str(len(group)),
                _accuracy(group),
                *_difference(tested.get("dvpt", []), group),
                f"{seconds:.0f}",
            )
        )
    return f"{title}\n\n{table(header, lines)}"


def _readings(rows: Sequence[Row]) -> str:
    tested = _by_variant(row for row in rows if row.suite == "readings")
    if "dvpt" not in tested:
        return ""
    header = ("reading", "options", "trained parameters", "seeds", "accuracy", "it minus DVPT", "95 %")
    lines = []
    for name, group in sorted(tested.items(), key=lambda item: -_mean(item[1])):
        options = ", ".join(f"{key} {value}" for key, value in READINGS[name].items()) or "the defaults"
        lines.append(
            (
                name,
                options,
                f"{group[0].parameters:,}",
                str(len(group)),
                _accuracy(group),
                *_difference(group, tested["dvpt"]),
            )
        )
    rate = tested["dvpt"][0].lr
    return (
        f"## Readings of DVPT, EuroSAT at 64 pixels\n\nAll at learning rate {rate:g}, VPT beside them.\n\n"
        + table(header, lines)
    )


def _recipes(rows: Sequence[Row]) -> str:
    """What was tried to close gaps, each beside its method under the common recipe, seed by seed."""
    tested = _by_variant(row for row in rows if row.suite == "recipe-224")
    if not tested:
        return ""
    header = (
        "variant", "options", "seeds", "accuracy", "under the common recipe", "difference", "95 %",
        "DVPT with these options minus it", "95 %",
    )  # fmt: skip
    lines = []
    for name, group in tested.items():
        method, _, recipe = name.partition("-")
        seeds = {row.seed for row in group}
        common = [
            row
            for row in rows
            if (row.suite, row.variant, row.split) == ("methods-224", method, "test") and row.seed in seeds
        ]
        options = ", ".join(f"{key} {value}" for key, value in RECIPE[recipe].items())
        lines.append(
            (
                name,
                options,
                str(len(group)),
                _accuracy(group),
                _accuracy(common),
                *_difference(group, common),
                *_difference(tested.get(f"dvpt-{recipe}", []), group),
            )
        )
    return f"## Against learning by heart, EuroSAT at 224 pixels\n\n{table(header, lines)}"


def _augmentation(rows: Sequence[Row]) -> str:
    """Each option on each task's val, beside no augmentation."""
    tested = _by_variant(row for row in rows if row.suite == "augmentation")
    if not tested:
        return ""
    header = ("task", "options", "val pictures", "seeds", "accuracy on val", "it minus none", "95 %")
    lines = []
    for task in AUGMENTED_TASKS:
        plain = tested.get(f"{task}-none", [])
        for name, options in AUGMENTATIONS.items():
            group = tested.get(f"{task}-{name}", [])
            if group:
                given = ", ".join(f"{key} {value}" for key, value in options.items()) or "none"
                count = str(group[0].pictures)
                lines.append(
                    (task, given, count, str(len(group)), _accuracy(group), *_difference(group, plain))
                )
    return (
        "## Augmentation, three tasks at 64 pixels\n\nDVPT with drop path and label smoothing of 0.1 at learning "
        "rate 0.01, 15 epochs of train, measured on val: no test\npicture chooses a default. On one thread of an "
        f"AMD EPYC, 2026-11-26.\n\n{table(header, lines)}"
    )


def _list(rows: Sequence[Row], suite: str, title: str) -> str:
    """Accuracies of a suite, variant by variant as they were planned."""
    tested = _by_variant(row for row in rows if row.suite == suite)
    if not tested:
        return ""
    header = ("variant", "trained parameters", "learning rate", "seeds", "accuracy", "s a run")
    lines = [
        (
            name, f"{group[0].parameters:,}", f"{group[0].lr:g}", str(len(group)), _accuracy(group),
            f"{np.mean([row.train_seconds for row in group]):.0f}",
        )
        for name, group in tested.items()
    ]  # fmt: skip
    return f"{title}\n\n{table(header, lines)}"


def _scale(rows: Sequence[Row]) -> str:
    curves = {name: _curve(rows, name) for name in COMPARED}
    if not any(curves.values()):
        return ""
    SCALE_PLOT.write_bytes(_plot(curves))
    header = ("training pictures", *COMPARED)
    counts = sorted({count for curve in curves.values() for count in curve})
    lines = [
        (str(count), *(_accuracy(curves[name][count]) if count in curves[name] else "" for name in COMPARED))
        for count in counts
    ]
    return (
        "## Amount of data, EuroSAT at 64 pixels\n\nParts of the thousand training pictures, drawn by class and "
        "anew for each seed; learning rates as above.\n\n"
        f"{table(header, lines)}\n\n![Accuracy over the number of training pictures]({SCALE_PLOT.name})"
    )


def _curve(rows: Sequence[Row], method: str) -> dict[int, list[Row]]:
    """Training pictures → the runs on so many; the whole thousand is in the methods' table."""
    names = {f"{method}-{part:.0%}" for part in PARTS}
    found = [row for row in rows if row.suite == "scale" and row.variant in names]
    found += [row for row in rows if (row.suite, row.variant, row.split) == ("methods-64", method, "test")]
    curve: dict[int, list[Row]] = {}
    for row in found:
        curve.setdefault(row.train_pictures, []).append(row)
    return curve


def _plot(curves: dict[str, dict[int, list[Row]]]) -> bytes:
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for name, curve in curves.items():
        counts = sorted(curve)
        means = [_mean(curve[count]) for count in counts]
        spreads = [_spread(curve[count]) for count in counts]
        axes.errorbar(counts, means, yerr=spreads, marker="o", capsize=3, label=name)
    axes.set(xlabel="training pictures", ylabel="test accuracy")
    axes.grid(alpha=0.3)
    axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _by_variant(rows: Iterable[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.variant, []).append(row)
    return groups


def _mean(group: Sequence[Row]) -> float:
    return float(np.mean([row.accuracy for row in group]))


def _spread(group: Sequence[Row]) -> float:
    return float(np.std([row.accuracy for row in group], ddof=1)) if len(group) > 1 else 0.0


def _accuracy(group: Sequence[Row]) -> str:
    return f"{_mean(group):.4f}" + (f" ± {_spread(group):.4f}" if len(group) > 1 else "")


def _difference(a: Sequence[Row], b: Sequence[Row]) -> tuple[str, str]:
    """Mean accuracy a − b and its interval; empty for the same runs, or where one was not tested."""
    if not a or list(a) == list(b) or not all(row.pictures for row in [*a, *b]):
        return "", ""
    answers_a, answers_b = ([from_hex(row.correct, row.pictures) for row in group] for group in (a, b))
    found = difference_interval(answers_a, answers_b)
    alone = "" if found.over_seeds else " (pictures alone)"
    return f"{_mean(a) - _mean(b):+.4f}", f"{found.low:+.4f} to {found.high:+.4f}{alone}"
