from collections.abc import Callable
from pathlib import Path

import pytest

from training.cli import main
from training.config import TrainConfig

Make = Callable[..., Path]
New = Callable[..., TrainConfig]


@pytest.fixture
def flags(new_config: New) -> list[str]:
    config = new_config()
    return [
        "--task", "colours", "--backbone", str(config.backbone), "--weights", str(config.weights),
        "--image-size", "32", "--store", str(config.store), "--runs", str(config.runs), "--epochs", "1",
        "--prompt-count", "2", "--device", "cpu",
    ]  # fmt: skip


def test_it_ends_with_what_a_user_wants_to_know(
    flags: list[str], picture_folder: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*flags, "--data", str(picture_folder(train=4, test=2)), "--name", "paint"]) == 0
    output = capsys.readouterr().out
    for part in ("accuracy on test: 0.", "(6 pictures)", "parameters: ", "seconds: ", "paint version 1 in"):
        assert part in output
    assert "dvpt-serve --store" in output


def failing(case: str, folder: Path, tmp_path: Path) -> list[str]:
    """The command of a bad-input case, its data damaged where the case says so."""
    if case == "no data":
        return ["--data", str(tmp_path / "nowhere")]
    if case == "no classes":
        (tmp_path / "empty").mkdir()
        return ["--data", str(tmp_path / "empty")]
    if case == "unreadable picture":
        (folder / "train" / "blue" / "000.png").write_bytes(b"text")
    more = {
        "weights of another architecture": ["--backbone", "vit_tiny_patch16_224"],
        "not a ViT": ["--backbone", "resnet18"],
        "weights that are not there": ["--weights", str(tmp_path / "no.safetensors")],
        "no such device": ["--device", "cuda:99"],
        "predictions that cannot be written": ["--predictions", str(folder)],
    }
    return ["--data", str(folder), *more.get(case, [])]


@pytest.mark.parametrize(
    ("case", "complaint"),
    [
        ("no data", "is no folder"),
        ("no classes", "no class folders"),
        ("unreadable picture", "1 of 12 pictures cannot be read:"),
        ("weights of another architecture", "do not fit vit_tiny_patch16_224"),
        ("not a ViT", "not a plain VisionTransformer"),
        ("weights that are not there", "no weights at"),
        ("no such device", "there is no device cuda:99"),
        ("predictions that cannot be written", "Is a directory"),
    ],
)
def test_what_cannot_be_trained_exits_with_1_and_a_message(
    flags: list[str], picture_folder: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str,
    complaint: str,
) -> None:  # fmt: skip
    extra = failing(case, picture_folder(train=4, test=2), tmp_path)
    assert main([*flags, *extra]) == 1
    error = capsys.readouterr().err
    assert error.count("dvpt-train: ") == 1
    assert complaint in error


def test_usage_errors_exit_with_2(flags: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*flags, "--lr", "-1"])
    assert caught.value.code == 2
