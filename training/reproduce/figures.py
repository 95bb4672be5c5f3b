"""A reproduced table or figure as a picture."""

import io

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.data.catalogue import TASKS
from training.reproduce.scores import Score, Scores

OURS, PAPERS = "#4878a8", "#c8c8c8"
OTHER = "////"  # hatches what does not compare
ROOM = 118  # per cent on the axis, so that a figure behind a bar of 100 has a place


def picture(scores: Scores) -> bytes:
    """The experiment as PNG: bars beside the paper's, or lines over the part of the training pictures."""
    return _curve(scores) if len(scores.experiment.percents) > 1 else _bars(scores)


def _bars(scores: Scores) -> bytes:
    """A panel for each group of tasks: the mean of each row beside the paper's over the same tasks."""
    blocks = scores.blocks()
    height = 2.1 + 0.45 * len(scores.systems)
    figure = Figure(figsize=(4.2 * max(len(blocks), 1), height), layout="constrained")
    figure.suptitle(scores.experiment.title)
    panels = figure.subplots(1, max(len(blocks), 1), squeeze=False)[0]
    for axes, (block, tasks) in zip(panels, blocks.items(), strict=False):
        means = [scores.mean(system, block) for system in scores.systems]
        _pairs(axes, [system.name for system in scores.systems], means, scores.experiment.digits)
        of = len(scores.experiment.blocks.get(block, tasks))
        part = "" if len(tasks) == of else f"\n{', '.join(TASKS[task].title for task in tasks)} of {of} tasks"
        axes.set_title(block + part, fontsize=9)
    _explain(figure, scores)
    return _png(figure)


def _pairs(axes: Axes, names: list[str], means: list[Score | None], digits: int) -> None:
    """Ours above, with its spread over seeds, and the paper's below; hatched where they do not compare."""
    for row, mean in enumerate(means):
        if mean is None:
            continue
        axes.barh(row - 0.2, mean.value, height=0.38, color=OURS, xerr=mean.std, capsize=2, label="here")
        edge = mean.value + (mean.std or 0.0)
        axes.text(edge + 1.5, row - 0.2, f"{mean.value:.{digits}f}", va="center", fontsize=7)
        if mean.published is None:
            continue
        hatch, label = (None, "paper") if mean.comparable else (OTHER, "paper, of other data or backbone")
        axes.barh(
            row + 0.2, mean.published, height=0.38, color=PAPERS, hatch=hatch, edgecolor="white", label=label
        )
        axes.text(mean.published + 1.5, row + 0.2, f"{mean.published:.{digits}f}", va="center", fontsize=7)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="top-1, per cent", xlim=(0, ROOM), ylim=(len(names) - 0.4, -0.6))
    axes.set_xticks(range(0, 101, 20))


def _curve(scores: Scores) -> bytes:
    blocks = scores.blocks()
    figure = Figure(figsize=(6.0 * max(len(blocks), 1), 4.6), layout="constrained")
    figure.suptitle(scores.experiment.title)
    panels = figure.subplots(1, max(len(blocks), 1), squeeze=False)[0]
    for axes, (block, tasks) in zip(panels, blocks.items(), strict=False):
        for system in scores.systems:
            means = [(percent, scores.mean(system, block, percent)) for percent in scores.percents]
            known = [(percent, mean) for percent, mean in means if mean]
            if known:
                axes.errorbar(
                    [percent for percent, _ in known],
                    [mean.value for _, mean in known],
                    yerr=[mean.std or 0.0 for _, mean in known],
                    marker="o",
                    capsize=3,
                    label=system.name,
                )
        axes.set(xlabel="training pictures, per cent", ylabel="top-1, per cent")
        axes.grid(alpha=0.3)
        axes.set_title(f"{block}: mean of {', '.join(TASKS[task].title for task in tasks)}", fontsize=9)
    _explain(figure, scores)
    return _png(figure)


def _explain(figure: Figure, scores: Scores) -> None:
    """One legend below the panels, where it covers nothing, and what the error bars are."""
    entries: dict[str, Artist] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    seeds = {len(row.values) for row in scores.rows}
    bars = (
        "Error bars: standard deviation over seeds"
        if max(seeds, default=1) > 1
        else "One seed: no error bars"
    )
    figure.legend(
        list(entries.values()),
        list(entries),
        loc="outside lower center",
        ncols=max(len(entries), 1),
        title=bars,
        fontsize=7,
        title_fontsize=7,
    )


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
