import statistics
from collections.abc import Callable
from typing import Any

import pytest

from training.data.catalogue import TASKS
from training.data.departures import DrawnByFormula
from training.reproduce import paper
from training.reproduce.experiments import DVPT, FIGURE_3, FULL, LINEAR, TABLE_1, TABLE_2
from training.reproduce.scores import Scores

Results = Callable[..., Any]


def of_the_paper(*rows: str) -> dict[tuple[str, str, int], tuple[float, ...]]:
    """The published values of Table 1 as if they had been measured."""
    return {(row, task, 100): (value / 100,) for row in rows for task, value in paper.TABLE_1[row].items()}


def test_the_published_values_give_the_published_table(results: Results) -> None:
    scores = Scores(TABLE_1, *results(TABLE_1, of_the_paper("Full", "DVPT")))
    for block, published in zip(
        ("Natural", "Specialized", "Structured"), paper.TABLE_1_MEANS["DVPT"], strict=True
    ):
        mean = scores.mean(DVPT, block)
        assert mean is not None
        assert (mean.published, mean.tasks) == (published, mean.of_tasks)
        assert mean.difference == pytest.approx(0, abs=0.05)
    whole = scores.mean_of_means(DVPT)
    assert whole is not None
    assert whole.published == pytest.approx(73.95, abs=0.01)
    assert scores.wins(DVPT) == (17, 17, 19)
    groups = [scores.wins(DVPT, block) for block in ("Natural", "Specialized", "Structured")]
    assert groups == [(6, 6, 7), (3, 3, 4), (8, 8, 8)]
    assert scores.wins(FULL) is None


def test_a_part_of_a_group_is_compared_with_the_same_part_and_says_so(results: Results) -> None:
    figures = {("DVPT", task, 100): (0.5, 0.7) for task in ("cifar", "dtd")}
    scores = Scores(TABLE_1, *results(TABLE_1, figures))
    mean = scores.mean(DVPT, "Natural")
    assert mean is not None
    assert (mean.tasks, mean.of_tasks) == (2, 7)
    assert mean.value == pytest.approx(60)
    assert mean.std == pytest.approx(10)  # each task 10·√2, of two that are independent
    assert mean.published == statistics.fmean(paper.TABLE_1["DVPT"][task] for task in ("cifar", "dtd"))
    assert scores.mean(DVPT, "Structured") is None
    assert scores.mean_of_means(DVPT) is None
    assert scores.wins(DVPT) is None
    assert list(scores.blocks()) == ["Natural"]


@pytest.mark.parametrize(
    "facts",
    [
        {"backbone": "vit_tiny_patch16_224"},
        {"image_size": 96},
        {"departures": [DrawnByFormula(benchmark="VTAB-1k", task="DTD", splits=("test",))]},
    ],
    ids=lambda facts: next(iter(facts)),
)
def test_no_difference_to_figures_of_another_backbone_or_of_other_data(
    results: Results, facts: dict[str, Any]
) -> None:
    figures = {("DVPT", "dtd", 100): (0.5,)}
    same = Scores(TABLE_1, *results(TABLE_1, figures)).score(DVPT, "dtd")
    assert same is not None
    assert same.difference == pytest.approx(50 - 67.6)
    other = Scores(TABLE_1, *results(TABLE_1, figures, **facts))
    for score in (other.score(DVPT, "dtd"), other.mean(DVPT, "Natural")):
        assert score is not None
        assert (score.published, score.difference) == (67.6, None)
        assert score.official == ("departures" not in facts)


def test_wins_count_tasks_that_both_have(results: Results) -> None:
    figures = {("Full", "cifar", 100): (0.5,), ("Full", "svhn", 100): (0.5,), ("Full", "dtd", 100): (0.5,)}
    figures |= {
        ("Linear", "cifar", 100): (0.6,),
        ("Linear", "svhn", 100): (0.5,),
        ("Linear", "sun397", 100): (1.0,),
    }
    assert Scores(TABLE_1, *results(TABLE_1, figures)).wins(LINEAR) == (1, 0, 2)


def test_tasks_beyond_the_table_stand_apart(results: Results) -> None:
    figures = {("4 layers", "dtd", 100): (0.5,), ("4 layers", "svhn", 100): (0.7,)}
    scores = Scores(TABLE_2, *results(TABLE_2, figures, tasks="dtd,svhn,cifar"))
    assert scores.blocks() == {"VTAB-1k": ("dtd",), "Other": ("svhn",)}
    (system,) = [system for system in scores.systems if system.name == "4 layers"]
    other = scores.mean(system, "Other")
    assert other is not None
    assert (other.tasks, other.published) == (1, None)


def test_a_curve_has_a_mean_for_each_part_of_the_pictures(results: Results) -> None:
    figures = {("DVPT", task, percent): (percent / 100,) for task in paper.FGVC_TASKS for percent in (10, 70)}
    scores = Scores(FIGURE_3, *results(FIGURE_3, figures))
    means = [scores.mean(DVPT, "FGVC", percent) for percent in scores.percents]
    assert [mean.value if mean else None for mean in means] == [
        10,
        None,
        None,
        None,
        None,
        None,
        pytest.approx(70),
    ]
    assert TASKS["cub"].name in scores.tasks
