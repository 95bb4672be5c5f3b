from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.store.store import Store
from training.cli import main
from training.options.train_config import TrainConfig
from training.search.result import SearchResult
from training.search.search_config import SearchConfig
from training.search.summary import summary

Make = Callable[..., Path]


@pytest.fixture
def flags(new_config: Callable[..., TrainConfig], picture_folder: Make) -> list[str]:
    config = new_config()
    return [
        "--task", "colours", "--data", str(picture_folder(train=6, val=3, test=4)),
        "--backbone", str(config.backbone), "--weights", str(config.weights), "--image-size", "32",
        "--store", str(config.store), "--runs", str(config.runs), "--epochs", "1", "--device", "cpu",
        "--search", "--grid-lr", "0.01,0.001", "--grid-weight-decay", "0",
    ]  # fmt: skip


@pytest.mark.slow
def test_it_ends_with_the_choice_the_accuracy_and_where_everything_is(
    flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*flags, "--method", "linear", "--seeds", "2"]) == 0
    output = capsys.readouterr().out
    for part in (
        "chosen: adamw, learning rate 0.0", "2 trials, 0 diverged", " over 2 seeds (95 % 0.",
        "by its 12 pictures)", "/search.csv", "published: colours version 1, seed 0, in",
        "dvpt-serve --store",
    ):  # fmt: skip
        assert part in output


@pytest.mark.slow
def test_what_is_said_to_be_published_is(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for options, said in (
        ([], "published: colours version 1, seed 0, in"),
        (["--name", "hues"], "published: hues version 1, seed 0, in"),
        (["--no-publish"], "not published: --no-publish"),
    ):
        assert main([*flags, "--method", "linear", *options]) == 0
        assert said in capsys.readouterr().out
    store = Store.open(tmp_path / "store")
    assert [store.resolve(task) for task in ("colours", "hues")] == [1, 1]


def test_a_first_seed_that_diverged_is_why_nothing_is_published() -> None:
    config = SearchConfig(task="colours", method="linear", search=True, seeds=2)
    result = SearchResult(
        task="colours", method="linear", optimizer="adamw", lr=0.01, weight_decay=0.0, epochs=1, trials=1,
        diverged_trials=0, val_accuracy=0.5, val_pictures=2, seeds=(1,), diverged_seeds=(0,),
        accuracies=(0.5,), pictures=2, parameters_with_head=2, parameters_without_head=1,
        training_seconds=1.0, total_seconds=1.0, backbone="tiny", image_size=32, source="here",
        departures=(), splits_made=(), store="store", version=None, directory="runs/x",
    )  # fmt: skip
    assert summary(config, result).endswith("\nnot published: seed 0 diverged")


@pytest.mark.slow
def test_what_cannot_be_served_is_searched_and_not_published(
    flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*flags, "--method", "full"]) == 0
    assert "not published: a service cannot run full" in capsys.readouterr().out


def test_a_dry_run_lists_the_trials_and_does_none(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*flags, "--seeds", "3", "--dry-run"]) == 0
    output = capsys.readouterr().out
    assert "2 trials of train on val, then 3 of train and val on test" in output
    assert "adamw, learning rate 0.001, weight decay 0" in output
    assert not (tmp_path / "runs").exists()


def test_a_value_the_search_chooses_is_refused(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([*flags, "--lr", "0.1"])
    assert "lr is the search's to choose" in capsys.readouterr().err
