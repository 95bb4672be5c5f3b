import io
from collections.abc import Callable
from typing import Any

import pytest
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
