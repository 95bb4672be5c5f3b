"""The plots of how cost grows: what was measured, the limit, and p99 where there is one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

DPI = 110
LABELS = {
    "tasks": ("resident tasks", "pictures/s", "the bare ViT"),
    "batch": ("pictures in a batch", "pictures/s", "the bare ViT"),
    "clients": ("clients, each asking on and on", "pictures/s", "the engine alone"),
    "pictures": ("side of the JPEG, px", "processor time for a picture, ms", "bare decoding and resizing"),
}


def plot_growth(name: str, figures: Mapping[str, Any], path: Path) -> None:
    """What grows to the right, its rate or cost upwards, with the limit; p99 in a panel of its own."""
    p99_ms = figures.get("p99_ms")
    figure = Figure(figsize=(9.5 if p99_ms else 5.5, 3.6), layout="constrained")
    panels = figure.subplots(1, 2 if p99_ms else 1, squeeze=False)[0]
    grows, measured, limit = LABELS[name]
    own = figures["pictures_per_s" if measured == "pictures/s" else "cpu_ms_per_picture"]
    panels[0].plot(*_points(figures["limit"]), color="tab:red", linestyle="--", label=limit)
    panels[0].plot(*_points(own), marker="o", markersize=4, label="DVPT Serve")
    panels[0].set_ylabel(measured)
    panels[0].legend(fontsize=8)
    if p99_ms:
        panels[1].plot(*_points(p99_ms), marker="o", markersize=4)
        panels[1].set(ylabel="p99, ms", yscale="log")
    for axes in panels:
        axes.set(xscale="log", xlabel=grows)
        axes.grid(alpha=0.3)
    if measured == "pictures/s":
        panels[0].set_ylim(bottom=0)
    else:
        panels[0].set_yscale("log")  # a picture's cost grows a hundredfold: nothing else shows both ends
    figure.savefig(path, dpi=DPI)


def _points(series: Mapping[str, float]) -> tuple[list[int], list[float]]:
    return [int(key) for key in series], list(series.values())
