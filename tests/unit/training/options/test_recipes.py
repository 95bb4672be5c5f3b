"""Shipped recipes: each says what it is for, parses, and is offered by its name."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from training.cli import main
from training.options.arguments import parse_arguments
from training.options.option_file import read_options
from training.options.recipes import FOLDER, RECIPES
from training.options.train_config import TrainConfig
from training.reproduce.cli import main as reproduce
from training.search.search_config import SearchConfig

DOCUMENT = Path(__file__).resolve().parents[4] / "docs" / "training.md"
COMMAND = re.compile(r"^#   dvpt-train (--config .*)$", re.MULTILINE)


def parse(*argv: str) -> SearchConfig:
    return parse_arguments(SearchConfig, argv, prog="dvpt-train", description="Train.", recipes=RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipes_own_command_parses_and_has_what_the_file_says(name: str) -> None:
    text = RECIPES[name].read_text()
    (command,) = COMMAND.findall(text)
    flags = shlex.split(command)
    assert flags[:2] == ["--config", name]
    config = parse(*flags)
    options = read_options(SearchConfig, RECIPES[name])
    assert options
    assert {option: getattr(config, option) for option in options} == options


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_opens_with_what_it_is_for_and_what_to_expect(name: str) -> None:
    opening = RECIPES[name].read_text().split("\n\n")[0].splitlines()
    assert all(line.startswith("#") for line in opening)
    assert len(opening[0]) > 20
    assert any(line.startswith("# What to expect: ") for line in opening)


def test_every_recipe_is_in_the_document_and_nothing_else_is() -> None:
    section = DOCUMENT.read_text().partition("\n## Recipes\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w[\w-]*)` \|", section, re.MULTILINE)) == set(RECIPES)


def test_the_command_line_wins_over_a_recipe() -> None:
    config = parse("--task", "digits", "--config", "linear", "--epochs", "3")
    assert (config.method, config.epochs) == ("linear", 3)


def test_an_unknown_name_is_a_usage_error_that_lists_the_recipes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--task", "digits", "--config", "liner"])
    error = capsys.readouterr().err
    assert "there is no recipe 'liner'" in error
    assert all(name in error for name in RECIPES)


def test_a_file_is_still_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own").write_text("epochs = 3\n")
    Path("dvpt").write_text("epochs = 4\n")
    assert parse("--task", "digits", "--config", "own").epochs == 3
    assert parse("--task", "digits", "--config", "./dvpt").epochs == 4
    assert parse("--task", "digits", "--config", "dvpt").epochs == 15
    assert parse("--task", "digits", "--config", str(FOLDER / "vpt.toml")).method == "vpt"


def test_recipes_are_for_dvpt_train_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        reproduce(["table1", "--config", "paper"])
    assert "cannot read paper: No such file" in capsys.readouterr().err


def test_a_recipe_trains(
    new_config: Callable[..., TrainConfig],
    picture_folder: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = new_config()
    flags = [
        "--task", "colours", "--data", str(picture_folder(train=5, val=2, test=2)), "--image-size", "32",
        "--backbone", str(config.backbone), "--weights", str(config.weights), "--device", "cpu",
        "--store", str(config.store), "--runs", str(config.runs),
    ]  # fmt: skip
    assert main(["--config", "fast-look", *flags]) == 0
    output = capsys.readouterr().out
    assert "accuracy on val: " in output
    assert "not published: --no-publish" in output
    (run,) = config.runs.glob("colours-linear-*")
    assert len((run / "metrics.csv").read_text().splitlines()) == 1  # the head is computed at once
