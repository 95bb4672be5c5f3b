import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training.data.departures import DrawnByFormula
from training.reproduce import paper
from training.reproduce.experiments import FIGURE_3, TABLE_1, TABLE_2
from training.reproduce.scores import Score, Scores
from training.reproduce.tables import cell_text, markdown, write_csv
from training.uncertainty import Interval

GOLDEN = Path(__file__).with_name("golden_table1.md")
MISSING = {"DMLab": "no data found; VTAB-1k's DMLab can be had at https://example.org"}
Results = Callable[..., Any]


@pytest.fixture
def part(results: Results) -> Scores:
    """Two rows of Table 1 and a part of the tasks, one of them drawn by formula."""
    figures = {
        ("Full", "eurosat", 100): (0.951, 0.953, 0.955),
        ("DVPT", "eurosat", 100): (0.968, 0.969, 0.970),
        ("DVPT", "clevr_count", 100): (0.7,),
    }
    wanted, rows = results(
        TABLE_1, figures, methods="full,dvpt", tasks="eurosat,clevr_count,dsprites_loc,dmlab"
    )
    drawn = {("DVPT", "dsprites_loc", 100): (0.5, 0.6)}
    departure = DrawnByFormula(benchmark="VTAB-1k", task="dSprites/location", splits=("train", "val", "test"))
    options = {
        "methods": "full,dvpt", "tasks": "eurosat,clevr_count,dsprites_loc,dmlab", "departures": [departure],
    }  # fmt: skip
    return Scores(TABLE_1, wanted, rows | results(TABLE_1, drawn, **options)[1])


def test_a_part_of_a_table_is_rendered_and_labelled(part: Scores) -> None:
    """With DVPT_WRITE_GOLDEN set the expected document is written anew."""
    text = markdown(part, MISSING)
    if os.environ.get("DVPT_WRITE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_the_csv_has_a_line_for_each_cell_and_each_mean(part: Scores, tmp_path: Path) -> None:
    write_csv(part, tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    found = {(line["row"], line["task"]): line for line in lines}
    assert len(found) == len(lines) == 4 + 3
    cell = found["DVPT", "eurosat"]
    assert (cell["accuracy"], cell["published"], cell["difference"]) == ("96.9000", "96.9000", "0.0000")
    assert (cell["seeds"], cell["prompts"], cell["official"]) == ("3", "10", "True")
    assert (float(cell["low"]), float(cell["high"])) == pytest.approx((95.63, 97.81), abs=0.01)
    mean = found["DVPT", "mean of Structured"]
    assert (mean["tasks"], mean["of_tasks"], mean["official"], mean["difference"]) == ("2", "8", "False", "")


def test_nothing_measured_is_said_and_where_data_can_be_had(results: Results) -> None:
    text = markdown(Scores(TABLE_1, *results(TABLE_1, {})), MISSING)
    assert "Nothing has been measured yet." in text
    assert "- DMLab: no data found; VTAB-1k's DMLab can be had at" in text


def test_other_backbones_are_said_and_not_compared(results: Results) -> None:
    figures = {("DVPT", "eurosat", 100): (0.9,)}
    text = markdown(Scores(TABLE_1, *results(TABLE_1, figures, backbone="vit_tiny_patch16_224")), {})
    assert "`vit_tiny_patch16_224` at 224 px. The paper's backbone is ViT-B/16" in text
    assert "| 90.0 [88.0 to 91.7] (96.9) |" in text


def test_the_figure_has_a_column_for_each_part_of_the_pictures(results: Results) -> None:
    figures = {("DVPT", task, 10): (0.5,) for task in paper.FGVC_TASKS}
    figures |= {("DVPT", "cub", 70): (0.9,)}
    text = markdown(Scores(FIGURE_3, *results(FIGURE_3, figures, percents="10,70")), {})
    assert "|  | 10 % | 70 % |" in text
    assert "| DVPT | 50.00 | 90.00, mean of 1 of 5 tasks |" in text


@pytest.mark.parametrize(
    ("score", "text"),
    [
        (None, ""),
        (Score(80.06, None, None, comparable=True, official=True), "80.1"),
        (Score(80.06, 0.44, 80.3, comparable=True, official=True), "80.1 ± 0.4 (80.3, −0.2)"),
        (Score(80.06, 0.44, 79.0, comparable=False, official=False), "80.1 ± 0.4† (79.0)"),
        (
            Score(80.0, None, 79.0, comparable=True, official=True, tasks=2, of_tasks=7),
            "80.0 (79.0, +1.0), mean of 2 of 7 tasks",
        ),
        (Score(80.0, None, 80.04, comparable=True, official=True), "80.0 (80.0, 0.0)"),
        (
            Score(80.0, None, 80.3, comparable=True, official=True, interval=Interval(77.4, 82.4)),
            "80.0 [77.4 to 82.4] (80.3, −0.3)",
        ),
        (
            Score(80.0, 0.4, None, comparable=True, official=True, interval=Interval(77.4, 82.4)),
            "80.0 ± 0.4",
        ),
        (  # seeds that came to the same do not make a figure certain
            Score(80.0, 0.01, None, comparable=True, official=True, interval=Interval(77.4, 82.4)),
            "80.0 [77.4 to 82.4]",
        ),
    ],
)  # fmt: skip
def test_a_cell_says_what_it_is(score: Score | None, text: str) -> None:
    assert cell_text(score) == text


def test_the_best_of_a_column_is_bold_and_so_is_its_equal(results: Results) -> None:
    figures = {
        ("2 layers", "dtd", 100): (0.50004,),
        ("4 layers", "dtd", 100): (0.5,),
        ("6 layers", "dtd", 100): (0.4,),
        ("6 layers", "eurosat", 100): (0.9,),
    }
    text = markdown(Scores(TABLE_2, *results(TABLE_2, figures)), {})
    assert "| 2 layers | **50.00** [46.91 to 53.10] (63.40, −13.40) |" in text
    assert "| 4 layers | **50.00** [" in text
    assert "| 6 layers | 40.00 [" in text
    assert "65.00 (82.88, −17.88), mean of 2 of 5 tasks" in text  # not bold: of more tasks than the others
    assert "| 90.00 [87.98 to 91.71] (97.02, −7.02) |" in text  # alone in its column


def test_rows_that_are_not_the_papers_are_explained(results: Results) -> None:
    figures = {
        (row, "dtd", 100): (0.5, 0.6) for row in ("Full", "Adapter-8", "Adapter-8 zero", "VPT as DVPT")
    }
    options = {"tasks": "dtd", "methods": "full,adapter-8,adapter-8-zero,vpt-as-dvpt"}
    text = markdown(Scores(TABLE_1, *results(TABLE_1, figures, **options)), {})
    for row in ("Full", "Adapter-8", "Adapter-8 zero", "VPT as DVPT"):
        assert f"- {row}: " in text
    assert "| Adapter-8 zero | **55.0** ± 7.1 (62.7, −7.7) |" in text
    assert "| VPT as DVPT | **55.0** ± 7.1 |" in text
    assert "0 of 1 |" in text
    assert "- Sidetune: " not in text
