"""The comparison's tables say what the rows say, and where there are none."""

import numpy as np
import pytest

from benchmarks.evidence.comparison import GROUPS, SHOTS
from benchmarks.evidence.comparison_report import comparison_sections, few_shot_plot, t_half_width
from benchmarks.evidence.finished_runs import Row, from_hex, to_hex
from training.methods.table import AUTO
from training.uncertainty import difference_interval

EMBEDDED = [setting.name for setting in GROUPS["the embedded backbone"]]
PICTURES = 200


def _row(setting: str, name: str, accuracy: float, seed: int = 0, **more: object) -> Row:
    draw = np.random.default_rng([seed, len(name), len(setting)])
    right = draw.permutation(np.arange(PICTURES) < round(accuracy * PICTURES))
    values: dict[str, object] = {
        "suite": "comparison", "task": setting, "variant": f"{setting}:{name}", "lr": 0.01, "seed": seed,
        "split": "test", "train_pictures": 1000, "pictures": PICTURES, "accuracy": float(right.mean()),
        "parameters": 10, "train_seconds": 5.0, "finished": "2026-11-26T08:00:00+00:00",
        "correct": to_hex(right.tolist()), "method": name, "values": 1234, "seconds": 7.0,
        "adapter_bytes": 5678, "error_before": 0.08, "error_after": 0.02,
    }  # fmt: skip
    return Row(**(values | more))  # type: ignore[arg-type]


def _section(rows: list[Row], title: str) -> list[list[str]]:
    """The cells of a section's table, line by line, its header first."""
    (found,) = (part for part in comparison_sections(rows) if part.startswith(f"### {title}"))
    lines = [line for line in found.splitlines() if line.startswith("|") and "---" not in line]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def _line(cells: list[list[str]], name: str) -> dict[str, str]:
    (found,) = (line for line in cells[1:] if line[0] == name)
    return dict(zip(cells[0], found, strict=True))


def test_t_half_width_is_students() -> None:
    assert t_half_width([1.0, 2.0, 3.0]) == pytest.approx(4.302653 / 3**0.5)
    assert t_half_width([1.0]) is None


def test_without_rows_every_section_says_so() -> None:
    sections = comparison_sections([])
    assert len(sections) == 10
    assert all(part.endswith("not run yet") for part in sections[1:])


def test_a_mean_waits_for_all_of_its_tasks() -> None:
    rows = [_row(at, "dvpt", 0.5 + 0.1 * (at == "digits"), seed) for at in EMBEDDED for seed in (0, 1)]
    cells = _section([*rows, _row("digits", "linear", 0.7)], "Accuracy, the embedded backbone")
    dvpt, linear = _line(cells, "dvpt"), _line(cells, "linear")
    assert dvpt["digits"] == "0.6000 ± 0.0000"
    assert dvpt["mean"].startswith(f"{0.5 + 0.1 / 6:.4f} ± ")
    assert linear["digits"] == "0.7000"
    assert linear["scene-count"] == linear["mean"] == "not run yet"


def test_points_are_lost_against_the_best_of_each_task() -> None:
    rows = [
        _row("digits", "dvpt", 0.8), _row("digits", "linear", 0.9),
        _row("scene-angle", "dvpt", 0.4), _row("scene-angle", "linear", 0.35),
    ]  # fmt: skip
    cells = _section(rows, "Points below the best method, the embedded backbone")
    dvpt, linear = _line(cells, "dvpt"), _line(cells, "linear")
    assert (dvpt["digits"], dvpt["scene-angle"], dvpt["most"]) == ("10.0", "0.0", "10.0")
    assert (linear["digits"], linear["scene-angle"], linear["most"]) == ("0.0", "5.0", "5.0")
    assert linear["scene-count"] == "not run yet"


def test_means_are_compared_over_the_tasks_that_both_have() -> None:
    better = [_row(at, "default", 0.8, seed) for at in EMBEDDED for seed in range(5)]
    worse = [_row(at, "dvpt", 0.6, seed) for at in EMBEDDED[:3] for seed in range(5)]
    single = [_row(at, "vpt", 0.8) for at in EMBEDDED]
    one_seed_does_not_count = _row(EMBEDDED[3], "dvpt", 0.1)
    cells = _section([*better, *worse, one_seed_does_not_count, *single], "Means over tasks")
    found = {(line[0], line[1]): line[2:] for line in cells[1:]}
    tasks, difference, these, others = found["default", "dvpt"]
    assert (tasks, difference) == ("3", "+0.2000")
    low, high = (float(end) for end in these.split(" to "))
    assert 0 < low < 0.2 < high
    assert low + high == pytest.approx(0.4, abs=1e-3)
    assert others == "+0.2000 to +0.2000"
    assert found["default", "vpt"][2].endswith("(pictures alone)")
    assert ("default", "full") not in found


def test_the_interval_over_one_task_is_that_of_the_task() -> None:
    sides = [
        [_row("digits", name, part, seed) for seed in range(5)]
        for name, part in (("default", 0.7), ("vpt", 0.6))
    ]
    expected = difference_interval(*([from_hex(row.correct, PICTURES) for row in side] for side in sides))
    (line,) = (line for line in _section([*sides[0], *sides[1]], "Means over tasks")[1:] if line[1] == "vpt")
    assert [float(end) for end in line[4].split(" to ")] == pytest.approx(
        [expected.low, expected.high], abs=1e-4
    )
    assert line[5] == ""


def test_more_tasks_make_the_mean_surer() -> None:
    def width(tasks: int) -> float:
        rows = [
            _row(at, name, accuracy, seed)
            for at in EMBEDDED[:tasks]
            for name, accuracy in (("default", 0.7), ("dvpt", 0.6))
            for seed in range(5)
        ]
        low, high = _section(rows, "Means over tasks")[1][4].split(" to ")
        return float(high) - float(low)

    assert width(4) < 0.75 * width(1)


def test_calibration_rates_cost_and_what_auto_takes() -> None:
    rows = [
        _row("digits", AUTO, 0.9, seed, lr=0.0, method=method)
        for seed, method in enumerate(["affine", "linear", "affine"])
    ]
    rows += [_row("digits", "full", 0.9, adapter_bytes=0), _row("digits", "full", 0.8, split="val")]
    calibrated = _line(_section(rows, "Expected calibration error"), "digits")
    assert calibrated["full"] == "0.080 → 0.020"
    assert _line(_section(rows, "Learning rates"), "digits")["full"] == "0.01"
    assert _section(rows, "What auto takes")[1] == ["digits", "affine 2, linear 1"]
    costs = {line[1]: line[2:] for line in _section(rows, "Cost")[1:]}
    assert costs["full"] == ["1,234", "not served", "7", "7"]


def test_few_pictures_have_a_line_for_each_number_and_a_curve() -> None:
    assert few_shot_plot([]) is None
    rows = [
        _row("eurosat-64", f"dvpt-{shots}", 0.3 + shots / 200, seed, suite="few-shot")
        for shots in SHOTS[:3]
        for seed in (0, 1)
    ]
    cells = _section(rows, "eurosat-64")
    assert [_line(cells, str(shots))["dvpt"][:6] for shots in SHOTS[:2]] == ["0.3250", "0.3500"]
    assert _line(cells, "100")["dvpt"] == _line(cells, "5")["linear"] == "not run yet"
    plot = few_shot_plot(rows)
    assert plot is not None
    assert plot.startswith(b"\x89PNG")
