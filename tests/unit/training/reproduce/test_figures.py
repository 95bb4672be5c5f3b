import io
from collections.abc import Callable
from typing import Any

import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from training.reproduce import paper
from training.reproduce.experiments import FIGURE_3, TABLE_1, Experiment
from training.reproduce.figures import picture
from training.reproduce.scores import Scores

Results = Callable[..., Any]


@pytest.mark.parametrize(
    ("experiment", "task", "percent"), [(TABLE_1, "eurosat", 100), (FIGURE_3, paper.FGVC_TASKS[0], 10)]
)
def test_a_part_is_drawn_as_a_picture_that_opens(
    results: Results, experiment: Experiment, task: str, percent: int
) -> None:
    figures = {("DVPT", task, percent): (0.9,), ("Full", task, percent): (0.2, 0.3)}
    drawn = Image.open(io.BytesIO(picture(Scores(experiment, *results(experiment, figures)))))
    drawn.load()
    assert drawn.format == "PNG"
    assert drawn.width > 300
    other = {("DVPT", task, percent): (0.1,), ("Full", task, percent): (0.2, 0.3)}
    assert picture(Scores(experiment, *results(experiment, other))) != picture(
        Scores(experiment, *results(experiment, figures))
    )


def drawn_figure(scores: Scores, monkeypatch: pytest.MonkeyPatch) -> Figure:
    """The figure behind the picture."""
    kept: list[Figure] = []
    save = Figure.savefig

    def keep(self: Figure, *args: Any, **options: Any) -> None:
        kept.append(self)
        save(self, *args, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    picture(scores)
    return kept[0]


@pytest.mark.parametrize("backbone", ["vit_base_patch16_224.orig_in21k", "vit_tiny_patch16_224"])
def test_bars_of_the_paper_are_hatched_where_they_do_not_compare(
    results: Results, monkeypatch: pytest.MonkeyPatch, backbone: str
) -> None:
    figures = {("DVPT", "eurosat", 100): (0.9, 0.95), ("Full", "eurosat", 100): (0.2, 0.3)}
    scores = Scores(TABLE_1, *results(TABLE_1, figures, backbone=backbone))
    (axes,) = drawn_figure(scores, monkeypatch).axes
    hatches = [bar.get_hatch() for bar in axes.patches if isinstance(bar, Rectangle)]
    assert len(hatches) == 4
    assert len([hatch for hatch in hatches if hatch]) == (2 if "tiny" in backbone else 0)


def test_the_legend_covers_no_data(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = {(row, "eurosat", 100): (0.99, 1.0) for row in ("Full", "VPT", "DVPT")}
    figures |= {(row, "dtd", 100): (0.99, 1.0) for row in ("Full", "VPT", "DVPT")}
    figure = drawn_figure(Scores(TABLE_1, *results(TABLE_1, figures)), monkeypatch)
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert not any(box.overlaps(axes.get_window_extent()) for axes in figure.axes)
    for axes in figure.axes:
        assert not axes.get_legend()
        right = axes.get_window_extent().x1
        assert all(text.get_window_extent().x1 < right for text in axes.texts)
