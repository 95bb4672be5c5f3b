from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import save_file

from adapters.vit.backbone import random_backbone
from training.cli import main
from training.options.train_config import TrainConfig

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


@pytest.mark.slow
@pytest.mark.parametrize("method", ["vpt", "mlp"])
def test_pictures_are_augmented_where_it_is_asked_for(
    flags: list[str], picture_folder: Make, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    augmented = [
        "--random-crop", "resized", "--flip", "0.5", "--rand-augment", "9", "--random-erasing", "0.2",
        "--mixup", "0.2",
    ]  # fmt: skip
    data = ["--data", str(picture_folder(train=4, test=2)), "--method", method]
    assert main([*flags, *data, *augmented]) == 0
    first = capsys.readouterr().out
    assert "accuracy on test: " in first
    assert main([*flags, *data]) == 0
    lines = [
        text.partition("run directory: ")[2].splitlines()[0] for text in (first, capsys.readouterr().out)
    ]
    assert lines[0] != lines[1]


@pytest.mark.slow
def test_it_ends_with_what_a_user_wants_to_know(
    flags: list[str], picture_folder: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*flags, "--data", str(picture_folder(train=4, test=2)), "--name", "paint"]) == 0
    output = capsys.readouterr().out
    for part in ("accuracy on test: 0.", ", 6 pictures)", "parameters: ", "seconds: ", "paint version 1 in"):
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
    (tmp_path / "damaged.safetensors").write_bytes(b"\xff" * 100)
    save_file(
        random_backbone(embed_dim=48, depth=2, num_heads=2).vit.state_dict(), tmp_path / "other.safetensors"
    )
    more = {
        "weights of another architecture": ["--backbone", "vit_tiny_patch16_224"],
        "not a ViT": ["--backbone", "resnet18"],
        "weights that are no weights": ["--weights", str(folder / "train" / "blue" / "001.png")],
        "weights that are damaged": ["--weights", str(tmp_path / "damaged.safetensors")],
        "weights of other sizes": ["--weights", str(tmp_path / "other.safetensors")],
        "float16 on a processor": ["--precision", "fp16"],
        "a start from nothing": ["--warm-start", "pets"],
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
        ("weights that are no weights", "weights must be a .safetensors file"),
        ("weights that are damaged", "cannot read weights"),
        ("weights of other sizes", "do not fit test_vit"),
        ("float16 on a processor", "--precision fp16 needs a CUDA device"),
        ("a start from nothing", "there is no store at"),
        ("not a ViT", "not a plain VisionTransformer"),
        ("weights that are not there", "no weights at"),
        ("no such device", "there is no device cuda:99"),
        pytest.param("predictions that cannot be written", "Is a directory", marks=pytest.mark.slow),
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


def test_a_dry_run_says_what_would_be_done_and_does_nothing(
    flags: list[str], picture_folder: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*flags, "--data", str(picture_folder(train=4, test=2)), "--dry-run"]) == 0
    output = capsys.readouterr().out
    assert "pictures: 12 to train on, 6 to evaluate" in output
    assert "nothing was trained or written" in output
    assert {path.name for path in tmp_path.iterdir()} == {"pictures"}


@pytest.mark.slow
def test_options_come_from_a_file(
    flags: list[str], picture_folder: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "options.toml"
    path.write_text(f'data = "{picture_folder(train=4, test=2)}"\nname = "paint"\n')
    assert main([*flags, "--config", str(path)]) == 0
    assert "paint version 1 in" in capsys.readouterr().out
    (kept,) = (tmp_path / "runs").glob("*/config.toml")
    assert main(["--config", str(kept), "--name", "again"]) == 0
    assert "again version 1 in" in capsys.readouterr().out


@pytest.mark.slow
def test_early_stopping_and_calibration_are_told(
    flags: list[str], picture_folder: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    data = picture_folder(train=4, val=3, test=2)
    options = ["--train-split", "train", "--val-every", "1", "--patience", "1", "--calibrate"]
    assert main([*flags, "--data", str(data), *options]) == 0
    output = capsys.readouterr().out
    assert "best epoch on val, which counts: 1 (" in output
    assert "temperature: " in output
