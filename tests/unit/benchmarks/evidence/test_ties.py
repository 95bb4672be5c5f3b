import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.evidence.finished_runs import Row, to_hex
from benchmarks.evidence.recipe import CHANGES, SETTINGS, SUITE
from benchmarks.evidence.ties import CANDIDATES, DRAWS, VAL, WIDTHS, smallest_level, ties_section
from training.auto.candidates import Candidate
from training.auto.choice import TIE, Tried, choose
from training.card.findings import Predictions


def row(candidate: str, fold: int, correct: list[bool]) -> Row:
    variant = f"{SETTINGS[0].name}:{CANDIDATES[candidate]}"
    return Row(
        SUITE, SETTINGS[0].task, variant, 0.0, fold, "test", 800, len(correct),
        sum(correct) / len(correct), 0, 0.0, "2026-11-27T00:00:00+00:00", to_hex(correct),
        values=list(CANDIDATES).index(candidate) + 1,
    )  # fmt: skip


def test_every_candidate_is_among_the_recipes() -> None:
    assert set(CANDIDATES.values()) <= CHANGES.keys()


@pytest.mark.parametrize(("width", "taken"), [(0.0, 2), (1.0, 1), (3.0, 0)])
def test_a_wider_tie_takes_a_smaller_one(width: float, taken: int) -> None:
    val = np.zeros((3, 100), dtype=np.bool_)
    for place, right in enumerate((45, 48, 49)):
        val[place, :right] = True
    assert smallest_level(val, width) == taken


@given(st.lists(st.lists(st.booleans(), min_size=12, max_size=12), min_size=1, max_size=5))
def test_one_of_the_widths_is_what_auto_chooses_by(answers: list[list[bool]]) -> None:
    labels, names = torch.zeros(12, dtype=torch.long), tuple(map(str, range(12)))
    tried = [
        Tried(Candidate(str(place), place, 8), 8, Predictions(names, labels, torch.eye(2)[wrong]))
        for place, wrong in enumerate((~torch.tensor(answers)).long())
    ]
    assert TIE in WIDTHS
    assert smallest_level(np.array(answers), TIE) == choose(tried).taken.candidate.values


def test_what_is_taken_is_looked_at_on_the_other_pictures() -> None:
    rows = [
        row(candidate, fold, [number % 10 < share for number in range(VAL)])
        for fold in (0, 1)
        for candidate, share in zip(CANDIDATES, (1, 2, 3, 4, 9), strict=True)
    ]
    rows.append(row("linear", 2, [True] * VAL))  # a fold that not all have been looked at on

    lines = ties_section(rows).splitlines()

    first = next(line for line in lines if line.startswith(f"| {SETTINGS[0].name} "))
    assert first.split("|")[2].strip() == str(2 * VAL)
    assert all(0.85 < float(cell) < 0.95 for cell in first.split("|")[3:-1])
    assert "not run yet" in next(line for line in lines if line.startswith(f"| {SETTINGS[1].name} "))
    assert next(line for line in lines if line.startswith("| values ")).split("|")[3].strip() == "5"


def test_pictures_of_val_do_not_tell() -> None:
    """Of one more than val has a single one tells, in each draw 0 or 1; all of them would be 0.4478."""
    correct = [number < 90 for number in range(VAL + 1)]
    lines = ties_section([row(candidate, 0, correct) for candidate in CANDIDATES]).splitlines()
    first = next(line for line in lines if line.startswith(f"| {SETTINGS[0].name} "))
    right = float(first.split("|")[3]) * DRAWS
    assert right == pytest.approx(round(right), abs=1e-6)
