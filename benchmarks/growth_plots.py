"""The plots of how cost grows: what was measured, the limit, and p99 where there is one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

DPI = 110
LABELS = {
    "tasks": ("resident tasks", "the bare ViT"),
    "batch": ("pictures in a batch", "the bare ViT"),
    "clients": ("clients, each asking on and on", "the engine alone"),
    "pictures": ("side of the JPEG, px", "bare decoding and resizing on all cores"),
}


def plot_growth(name: str, figures: Mapping[str, Any], path: Path) -> None:
    """Pictures/s over what grows, with the limit; p99 in a panel of its own."""
    p99_ms = figures.get("p99_ms")
    figure = Figure(figsize=(9.5 if p99_ms else 5.5, 3.6), layout="constrained")
    panels = figure.subplots(1, 2 if p99_ms else 1, squeeze=False)[0]
    grows, limit = LABELS[name]
    panels[0].plot(*_points(figures["limit"]), color="tab:red", linestyle="--", label=limit)
    panels[0].plot(*_points(figures["pictures_per_s"]), marker="o", markersize=4, label="DVPT Serve")
    panels[0].set_ylabel("pictures/s")
    panels[0].legend(fontsize=8)
    if p99_ms:
        panels[1].plot(*_points(p99_ms), marker="o", markersize=4)
        panels[1].set_ylabel("p99, ms")
    for axes in panels:
        axes.set(xscale="log", xlabel=grows)
        axes.grid(alpha=0.3)
    # Where a picture's cost grows a thousandfold, and for latencies, only a logarithm shows both ends.
    panels[-1].set_yscale("log" if p99_ms or name == "pictures" else "linear")
    if not p99_ms and name != "pictures":
        panels[0].set_ylim(bottom=0)
    figure.savefig(path, dpi=DPI)


def _points(series: Mapping[str, float]) -> tuple[list[int], list[float]]:
    return [int(key) for key in series], list(series.values())
