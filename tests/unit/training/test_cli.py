import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import save_file

from adapters.store.store import Store
from adapters.vit.backbone import random_backbone
from tests.support.backbones import save_weights
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
def test_any_name_of_a_class_gets_its_card(
    flags: list[str], picture_folder: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names that matplotlib takes for formulas, that fonts lack, that run from right to left."""
    folder = picture_folder(train=4, test=2)
    names = ("$1_$5", "$_x^{", "%", "\u200b", "\u0642\u0637\u0629", "\u732b", "l" * 250, "l" * 249 + "m")
    for split in ("train", "test"):
        for name in names:
            shutil.copytree(folder / split / "amber", folder / split / name)
    assert main([*flags, "--data", str(folder)]) == 0
    assert "warning" not in capsys.readouterr().err
    card = Store.open(tmp_path / "store").card("colours", 1)
    assert {"classes.png", "confusion-matrix.png"} <= card.keys()
    assert "| $1_$5 |" in card["README.md"].decode()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("broken", "warning", "lost"),
    [
        ("training.card.plots.class_table", "no plot classes.png: bad font (ValueError)", {"classes.png"}),
        ("training.card.model_card._listing", "no model card: bad font (ValueError)", {"classes.png"}),
        ("training.run.record.write_predictions", "predictions.csv: bad font (ValueError)", set()),
        ("training.run.summary.summary", "no summary: bad font (ValueError)", set()),
    ],
)
def test_what_fails_after_training_costs_no_adapter(
    flags: list[str], picture_folder: Make, capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, broken: str, warning: str,
    lost: set[str],
) -> None:  # fmt: skip
    def fails(*_: object, **__: object) -> bytes:
        raise ValueError("bad font")

    monkeypatch.setattr(broken, fails)
    assert main([*flags, "--data", str(picture_folder(train=4, test=2))]) == 0
    assert warning in caplog.text
    assert "published: colours version 1 in" in capsys.readouterr().out
    store = Store.open(flags[flags.index("--store") + 1])
    assert store.resolve("colours") == 1
    card = store.card("colours", 1)
    assert not lost & card.keys()
    assert not any(name in card["README.md"].decode() for name in lost)
    assert "Accuracy on test" in card["README.md"].decode()


@pytest.mark.slow
def test_a_run_is_known_by_what_changes_its_result(
    flags: list[str], picture_folder: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Its folder's place and spelling, name, device, threads and precision's spelling do not."""
    caplog.set_level(logging.INFO, "training")
    folder = picture_folder(train=4, test=2)
    place = tmp_path / "elsewhere"
    (place / "imagefolder").mkdir(parents=True)
    shutil.copytree(folder, place / "imagefolder" / "colours")
    for name in ("cub", "CUB_200_2011"):
        shutil.copytree(folder, place / name / "fgvc" / name)
    weights = flags[flags.index("--weights") + 1]
    shutil.copy(weights, tmp_path / "copy.safetensors")
    monkeypatch.chdir(folder.parent)

    def run(*more: str) -> str:
        caplog.clear()
        assert main([*flags, "--method", "linear", *more]) == 0
        return " ".join(message for message in caplog.messages if "epoch 1/1" not in message)

    assert run("--data", str(folder)) == ""
    for same in (
        ["--data", folder.name, "--device", "auto", "--decode-threads", "3"],
        ["--data", f"../{tmp_path.name}/{folder.name}", "--precision", "auto"],
        ["--data-root", str(place), "--name", "paint", "--split-seed", "4"],
        ["--data", str(folder), "--weights", "copy.safetensors", "--prompt-count", "9"],
    ):
        said = run(*same)
        assert "resuming" in said, same
        assert "colours-linear" in said
    assert len(list((tmp_path / "runs").iterdir())) == 1

    aliases = [
        run("--task", name, "--data-root", str(place / name), "--name", "birds")
        for name in ("cub", "CUB_200_2011")
    ]
    assert "resuming" in aliases[1]

    (folder / "test" / "blue" / "000.png").write_bytes((folder / "test" / "blue" / "001.png").read_bytes())
    assert "differs in: the test pictures" in run("--data", str(folder))
    assert "differs in: --lr (0.5, there 0.01)" in run("--data", str(folder), "--lr", "0.5")
    save_weights(random_backbone("test_vit", seed=4), tmp_path / "other.safetensors")
    other = ["--weights", str(tmp_path / "other.safetensors"), "--store", str(tmp_path / "other")]
    said = run("--data", str(folder), *other, "--epochs", "2")
    assert "differs in: the backbone; --epochs (2, there 1); --lr (0.01, there 0.5)" in said


@pytest.mark.slow
def test_unbalanced_classes_are_told_and_can_be_weighted(
    flags: list[str], picture_folder: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Accuracy is that of always answering with the class of most pictures."""
    folder = picture_folder(train=20, test=10)
    for split, kept in (("train", 2), ("test", 1)):
        shutil.rmtree(folder / split / "coral")
        for picture in sorted((folder / split / "blue").iterdir())[kept:]:
            picture.unlink()
    asked = [
        *flags,
        "--data",
        str(folder),
        "--method",
        "linear",
        "--no-head-first",
        "--lr",
        "1e-6",
        "--epochs",
        "2",
    ]
    assert main(asked) == 0
    output = capsys.readouterr().out
    assert "balanced accuracy: 0.5000" in output
    assert (
        "warning: accuracy is no better than always answering 'amber' (0.9091); try --class-weights balanced"
        in output
    )
    card = Store.open(tmp_path / "store").card("colours", 1)["README.md"].decode()
    assert "No better than always answering `amber`" in card

    assert main([*asked[:-4], "--lr", "0.01", "--epochs", "60", "--class-weights", "balanced"]) == 0
    output = capsys.readouterr().out
    assert "warning" not in output
    metrics = Store.open(tmp_path / "store").config("colours", 2).provenance["metrics"]
    assert metrics["balanced_accuracy"] > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("search", [[], ["--search", "--grid-lr", "0.01"]])
def test_other_classes_are_refused_before_training(
    flags: list[str], picture_folder: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    search: list[str],
) -> None:  # fmt: skip
    folder = picture_folder(train=4, test=2)
    asked = [*flags, "--data", str(folder), "--method", "linear"]
    assert main(asked) == 0
    for split in ("train", "test"):
        (folder / split / "coral").rename(folder / split / "copper")
    before = {path.name for path in (tmp_path / "runs").iterdir()}
    capsys.readouterr()
    assert main([*asked, *search]) == 1
    error = capsys.readouterr().err
    assert "version 1, which has other classes: 'coral' would be gone and 'copper' would be new" in error
    assert {path.name for path in (tmp_path / "runs").iterdir()} == before
    assert main([*asked, *search, "--no-publish"]) == 0
    assert main([*asked, *search, "--replace-classes"]) == 0
    assert Store.open(tmp_path / "store").task("colours").labels == {"stable": 2}


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
