from pathlib import Path

import pytest

from training.reproduce.cli import EXPERIMENTS, _parse, main
from training.reproduce.experiments import EXPERIMENTS as KNOWN


def test_every_experiment_can_be_named() -> None:
    assert tuple(KNOWN) == EXPERIMENTS


def test_a_table_without_any_data_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DVPT_DATA_ROOT", raising=False)
    places = ["--out", str(tmp_path / "out"), "--runs", str(tmp_path / "runs")]
    assert main(["table3", *places]) == 0
    output = capsys.readouterr().out
    assert "missing: KITTI/distance: no data found; VTAB-1k's KITTI/distance can be had at https://" in output
    assert f"written: {tmp_path}/out/table3.md" in output
    assert "## Missing" in (tmp_path / "out" / "table3.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["table9"], "expected one of table1, table2, table3, fig3 first, not 'table9'"),
        (["table1", "--tasks", "eurosatt"], "did you mean eurosat"),
        (["table1", "--percents", "5"], "expected per cents of 10 to 100"),
        (["table1", "--", "--no-such-option"], "unrecognized arguments"),
        (["table1", "--", "--method", "auto"], "invalid choice: 'auto'"),
    ],
)
def test_usage_errors_are_one_line(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        ("--dry-run", "--dry-run: stands before --"),
        ("--runs x", "--runs: stands before --"),
        ("--epochs 1", "--epochs: stands before --"),
        ("--task digits", "--task: --tasks before -- says which"),
        ("--method linear", "--method: --methods before -- says which"),
        ("--publish --store x", "--publish: nothing is published"),
        ("--store x", "--store: nothing is published"),
        ("--warm-start digits", "--warm-start: nothing is published"),
        ("--check", "--check: only dvpt-train does that"),
        ("--fresh", "--fresh: another --runs"),
        ("--predictions x", "--predictions: each run"),
        ("--config x", "--config: only dvpt-train reads one"),
        ("--data x", "--data: tasks are looked for below --data-root"),
    ],
)
def test_what_would_change_nothing_is_refused(
    flags: str,
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        main(["table3", "--", *flags.split()])
    assert f"argument {complaint}" in capsys.readouterr().err


def test_options_of_training_are_taken_behind_the_others() -> None:
    _, _, more = _parse(["table1", "--seeds", "1", "--", "--seed", "4", "--drop-path", "0.1"])
    assert more == {"seed": "4", "drop_path": "0.1"}


def test_what_cannot_be_had_together_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table1", "--methods", "dvpt,lora"]) == 1
    assert main(["table1", "--", "--lr", "0.1"]) == 1
    complaints = capsys.readouterr().err
    assert "table1 has no row 'lora'" in complaints
    assert "lr is the search's to choose" in complaints
