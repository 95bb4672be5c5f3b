"""The card's pictures."""

import io
import warnings
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from adapters.command.streams import printable
from training.run_directory import EpochRecord
from training.uncertainty import Reliability

LONGEST = 40


def learning_curve(history: Sequence[EpochRecord]) -> bytes:
    """Loss and accuracy over epochs, as PNG."""
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [record.epoch for record in history]
    left.plot(epochs, [record.loss for record in history], label="train")
    right.plot(epochs, [record.accuracy for record in history], label="train")
    looked = [record for record in history if record.val_accuracy is not None]
    if looked:
        right.plot([r.epoch for r in looked], [r.val_accuracy or 0.0 for r in looked], label="val")
    left.set(xlabel="epoch", ylabel="loss")
    right.set(xlabel="epoch", ylabel="accuracy")
    figure.legend(*right.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return _png(figure)


def reliability(published: Reliability, before: Reliability) -> bytes:
    """Accuracy over probability with the diagonal of perfect calibration, and how many pictures, as PNG."""
    figure = Figure(figsize=(4.5, 5), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot((0, 1), (0, 1), color="grey", linestyle=":")
    for bins, name, style in ((before, "before the temperature", "--"), (published, "as published", "-")):
        filled = bins.pictures > 0
        if bins is published or not np.allclose(bins.probability, published.probability):
            upper.plot(bins.probability[filled], bins.accuracy[filled], style, marker="o", label=name)
    upper.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    figure.legend(loc="outside upper center", ncols=2)
    edges = np.linspace(0, 1, len(published.pictures) + 1)
    lower.stairs(published.pictures, edges, fill=True, color="#4878a8")
    lower.set(xlabel="probability of the answer", ylabel="pictures")
    return _png(figure)


def confusion_matrix(counts: NDArray[np.int64], classes: Sequence[str]) -> bytes:
    """Rows are true classes, columns answers, each row as parts of 1, as PNG."""
    side = min(3.0 + 0.35 * len(classes), 14.0)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    parts = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(parts, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, fraction=0.046)
    axes.set(xlabel="answer", ylabel="true class")
    if len(classes) <= 50:
        names = [_short(name) for name in classes]
        axes.set_xticks(range(len(classes)), names, rotation=90, parse_math=False)
        axes.set_yticks(range(len(classes)), names, parse_math=False)
    if len(classes) <= 20:
        for (row, column), count in np.ndenumerate(counts):
            shade = "white" if parts[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=shade, fontsize=8)
    return _png(figure)


def class_table(rows: Sequence[tuple[str, float, float, float, int]]) -> bytes:
    """F1 of each class as bars, worst at the top, as PNG."""
    ordered = sorted(rows, key=lambda row: row[3], reverse=True)[-50:]
    figure = Figure(figsize=(7, 1.2 + 0.25 * len(ordered)), layout="constrained")
    axes = figure.subplots()
    axes.barh(range(len(ordered)), [row[3] for row in ordered], color="#4878a8")
    axes.set_yticks(range(len(ordered)), [_short(row[0]) for row in ordered], parse_math=False)
    axes.set(xlabel="F1", xlim=(0, 1))
    return _png(figure)


def _short(name: str) -> str:
    """A class's name in one line that leaves room for the plot."""
    line = printable(name)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of letters the font lacks: boxes stand for them
        figure.savefig(buffer, format="png", dpi=90)
    return buffer.getvalue()
