"""`dvpt-train --method auto` at the command line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.store.store import Store
from training.cli import main
from training.options.train_config import TrainConfig

Make = Callable[..., Path]


@pytest.fixture
def flags(new_config: Callable[..., TrainConfig]) -> list[str]:
    config = new_config()
    return [
        "--task", "colours", "--backbone", str(config.backbone), "--weights", str(config.weights),
        "--image-size", "32", "--store", str(config.store), "--runs", str(config.runs), "--epochs", "1",
        "--prompt-count", "2", "--device", "cpu", "--method", "auto",
    ]  # fmt: skip


@pytest.mark.slow
def test_it_ends_with_the_choice_and_what_a_run_ends_with(
    flags: list[str], picture_folder: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    data = picture_folder(train=10, val=34, test=4)
    assert main([*flags, "--data", str(data)]) == 0
    output = capsys.readouterr().out
    for part in (
        "auto took ", ": val has 102 pictures; ", "\n  linear ", "\n  dvpt-plus ", "accuracy on test: ",
        "run directory: ", "published: colours version 1 in", "dvpt-serve --store",
    ):  # fmt: skip
        assert part in output


@pytest.mark.slow
def test_other_classes_are_refused_before_anything_is_tried(
    flags: list[str], picture_folder: Make, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    data = picture_folder(train=3, test=2)
    assert main([*flags, "--data", str(data)]) == 0
    for split in ("train", "test"):
        (data / split / "coral").rename(data / split / "copper")
    before = set((tmp_path / "runs").iterdir())
    capsys.readouterr()
    assert main([*flags, "--data", str(data)]) == 1
    assert "which has other classes" in capsys.readouterr().err
    assert set((tmp_path / "runs").iterdir()) == before
    assert main([*flags, "--data", str(data), "--no-publish"]) == 0
    assert "not published: --no-publish" in capsys.readouterr().out
    assert main([*flags, "--data", str(data), "--replace-classes"]) == 0
    assert Store.open(tmp_path / "store").task("colours").labels == {"stable": 2}


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({"train": 10, "val": 34}, ("5 candidates, chosen on val (102 pictures)", "4 epochs about")),
        ({"train": 4}, ("5 candidates, chosen on 4 folds of 12 training pictures", "val has 3 pictures")),
        ({"train": 1}, ("nothing can be chosen", "linear would be trained")),
    ],
)
def test_a_dry_run_says_what_would_be_tried_and_tries_nothing(
    flags: list[str], picture_folder: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    counts: dict[str, int], told: tuple[str, str],
) -> None:  # fmt: skip
    data = picture_folder(**counts, test=2)
    assert main([*flags, "--data", str(data), "--epochs", "16", "--dry-run"]) == 0
    output = capsys.readouterr().out
    for part in (*told, "publishing: colours to", "/colours-auto-", "nothing was trained or written"):
        assert part in output
    assert {path.name for path in tmp_path.iterdir()} == {"pictures"}


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (["--search"], "search is for one method; let auto choose it"),
        (["--lr", "0.1"], "lr is for one method, and auto tries several"),
        (["--head-layers", "2"], "head_layers is for one method"),
        (["--warm-start", "colours"], "warm_start is for one method"),
        (["--train-split", "train"], "train_split is auto's to choose"),
        (["--train-split", "train", "--eval-split", "val"], "is auto's to choose"),
        (["--joint-trials", "2"], "joint_trials needs search"),
    ],
)
def test_what_auto_chooses_or_cannot_have_is_refused(
    flags: list[str], capsys: pytest.CaptureFixture[str], more: list[str], complaint: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([*flags, *more])
    assert complaint in capsys.readouterr().err
