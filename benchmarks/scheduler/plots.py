"""The scheduler's plots: what a picture costs as the load grows, and what a flood does to the others."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

LIMIT_US = 5.0
DPI = 110
UNDISTURBED = "undisturbed"
Series = Mapping[float, float]


def plot_cost(growth: Mapping[str, Mapping[str, Series]], path: Path) -> None:
    """One panel for each thing that grows: side → µs of processor time for a picture."""
    figure = Figure(figsize=(11, 3.2), layout="constrained")
    panels = figure.subplots(1, len(growth), sharey=True)
    for axes, (name, sides) in zip(panels, growth.items(), strict=True):
        for side, series in sides.items():
            axes.plot(list(series), list(series.values()), marker="o", markersize=3, label=side)
        _finish_cost(axes, name)
    panels[0].set_ylim(bottom=0)
    panels[0].set_ylabel("processor time for a picture, µs")
    panels[0].legend(fontsize=8)
    figure.savefig(path, dpi=DPI)


def plot_flood(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """The other tasks' p99 over their load, one panel for each number of layouts, a line for each `who`."""
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    counts = sorted({row["layouts"] for row in rows})
    for axes, layouts in zip(figure.subplots(1, len(counts), sharey=True), counts, strict=True):
        here = [row for row in rows if row["layouts"] == layouts]
        for who in dict.fromkeys(row["who"] for row in here):
            line = [(row["load"], row["p99_ms"]) for row in here if row["who"] == who]
            axes.plot(*zip(*line, strict=True), marker="o", markersize=3, label=who)
            if who == UNDISTURBED:
                loads, calm = zip(*line, strict=True)
                axes.fill_between(loads, calm, [2 * p99 for p99 in calm], color="0.9", label="within 2×")
        axes.set(
            yscale="log",
            xlabel="load of the other tasks, share of the engine",
            title=f"1,000 tasks in {layouts} layout{'s' * (layouts > 1)}",
        )
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("their p99, ms")
    figure.axes[0].legend(fontsize=8)
    figure.savefig(path, dpi=DPI)


def _finish_cost(axes: Axes, name: str) -> None:
    axes.axhline(LIMIT_US, color="tab:red", linestyle="--", linewidth=1, label="limit")
    axes.set(xscale="log", xlabel=name)
    axes.grid(alpha=0.3)
