"""A reproduced table or figure as a picture."""

import io

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.data.catalogue import TASKS
from training.reproduce.scores import Score, Scores

OURS, PAPERS = "#4878a8", "#c8c8c8"


def picture(scores: Scores) -> bytes:
    """The experiment as PNG: bars beside the paper's, or lines over the part of the training pictures."""
    return _curve(scores) if len(scores.experiment.percents) > 1 else _bars(scores)


def _bars(scores: Scores) -> bytes:
    """A panel for each group of tasks: the mean of each row beside the paper's over the same tasks."""
    blocks = scores.blocks()
    height = 1.6 + 0.45 * len(scores.systems)
    figure = Figure(figsize=(4.2 * max(len(blocks), 1), height), layout="constrained")
    figure.suptitle(scores.experiment.title)
    panels = figure.subplots(1, max(len(blocks), 1), squeeze=False)[0]
    for axes, (block, tasks) in zip(panels, blocks.items(), strict=False):
        means = [scores.mean(system, block) for system in scores.systems]
        _pairs(axes, [system.name for system in scores.systems], means)
        of = len(scores.experiment.blocks.get(block, tasks))
        part = "" if len(tasks) == of else f"\n{', '.join(TASKS[task].title for task in tasks)} of {of} tasks"
        axes.set_title(block + part, fontsize=9)
    if not all(row.comparable for row in scores.rows):
        figure.supxlabel(
            "Backbone, size or data are not all the paper's: such figures do not compare.", fontsize=7
        )
    return _png(figure)


def _pairs(axes: Axes, names: list[str], means: list[Score | None]) -> None:
    rows = range(len(names))
    ours = [mean.value if mean else 0.0 for mean in means]
    published = [(mean.published or 0.0) if mean else 0.0 for mean in means]
    bars = axes.barh([row - 0.2 for row in rows], ours, height=0.38, color=OURS, label="here")
    axes.bar_label(bars, [f"{value:.1f}" if value else "" for value in ours], padding=2, fontsize=7)
    if any(published):
        axes.barh([row + 0.2 for row in rows], published, height=0.38, color=PAPERS, label="paper")
    axes.set_yticks(list(rows), names)
    axes.invert_yaxis()
    axes.set(xlabel="top-1, per cent", xlim=(0, 105))
    axes.legend(fontsize=7, loc="lower right")


def _curve(scores: Scores) -> bytes:
    blocks = scores.blocks()
    figure = Figure(figsize=(6.0 * max(len(blocks), 1), 4.0), layout="constrained")
    figure.suptitle(scores.experiment.title)
    panels = figure.subplots(1, max(len(blocks), 1), squeeze=False)[0]
    for axes, (block, tasks) in zip(panels, blocks.items(), strict=False):
        for system in scores.systems:
            means = [(percent, scores.mean(system, block, percent)) for percent in scores.percents]
            known = [(percent, mean.value) for percent, mean in means if mean]
            axes.plot([x for x, _ in known], [y for _, y in known], marker="o", label=system.name)
        axes.set(xlabel="training pictures, per cent", ylabel="top-1, per cent")
        axes.set_title(f"{block}: mean of {', '.join(TASKS[task].title for task in tasks)}", fontsize=9)
        axes.legend()
    return _png(figure)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
