import statistics

import pytest

from training.data.catalogue import TASKS
from training.reproduce import paper


def test_the_columns_are_the_catalogues_tasks_by_group() -> None:
    assert [len([t for t in paper.VTAB_TASKS if TASKS[t].group == group]) for group in paper.GROUPS] == [
        7,
        4,
        8,
    ]
    assert len(paper.FGVC_TASKS) == 5
    for row in paper.TABLE_1.values():
        assert tuple(row) == paper.VTAB_TASKS
    for row in (*paper.TABLE_2.values(), *paper.TABLE_3.values()):
        assert set(row) <= set(paper.VTAB_TASKS)


@pytest.mark.parametrize("name", paper.TABLE_1)
def test_each_row_has_the_published_means_within_the_rounding_of_its_values(name: str) -> None:
    means = [
        statistics.fmean(value for task, value in paper.TABLE_1[name].items() if TASKS[task].group == group)
        for group in paper.GROUPS
    ]
    assert means == pytest.approx(paper.TABLE_1_MEANS[name], abs=0.05)


def test_the_ablations_agree_with_table_1_where_they_meet() -> None:
    """Four layers and a shared prompt are Table 1's DVPT."""
    for row in (paper.TABLE_2["4 layers"], paper.TABLE_3["shared"]):
        for task, value in row.items():
            assert value == pytest.approx(paper.TABLE_1["DVPT"][task], abs=0.051), task


def test_the_papers_claim_can_be_read_off() -> None:
    wins = sum(paper.TABLE_1["DVPT"][task] > paper.TABLE_1[paper.BASELINE][task] for task in paper.VTAB_TASKS)
    assert wins == 17
