"""`dvpt-train` on folders as people have them, by its own command line."""

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.pictures import encoded, noise
from training.cli import main
from training.options.train_config import TrainConfig

New = Callable[..., TrainConfig]
Train = Callable[..., "Trained"]


class Trained:
    """How a command ended: its code, what it said, and the splits it wrote down."""

    def __init__(self, code: int, runs: Path, said: str, shown: str) -> None:
        self.code, self.said, self.shown = code, said, shown
        found = list(runs.glob("*/splits.json"))
        self.splits: dict[str, Any] = json.loads(found[0].read_text()) if found else {}

    def sizes(self) -> dict[str, int]:
        return {name: len(self.splits[name]) for name in ("train", "val", "test") if name in self.splits}

    def remarks(self, kind: str) -> dict[str, list[str]]:
        return {one["what"]: one["names"] for one in self.splits["remarks"] if one["kind"] == kind}


@pytest.fixture
def train(
    new_config: New, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> Callable[..., Trained]:
    def run(data: Path | str, *options: str) -> Trained:
        config = new_config()
        shutil.rmtree(config.runs, ignore_errors=True)
        caplog.clear()
        code = main(
            [
                "--task=colours", f"--data={data}", f"--backbone={config.backbone}", "--epochs=1",
                f"--weights={config.weights}", "--image-size=32", f"--store={config.store}", "--device=cpu",
                f"--runs={config.runs}", "--prompt-count=2", "--batch-size=4", "--decode-threads=1", *options,
            ]
        )  # fmt: skip
        output = capsys.readouterr()
        return Trained(code, config.runs, caplog.text + output.err, output.out)

    return run


def pictures(folder: Path, count: int = 4, suffix: str = "png") -> Path:
    """Different pictures, of noise that follows the folder's name."""
    seed = random.Random(str(folder)).randrange(2**30)
    folder.mkdir(parents=True, exist_ok=True)
    kind = "JPEG" if suffix.startswith("j") else "PNG"
    for number in range(count):
        (folder / f"{number}.{suffix}").write_bytes(encoded(noise(seed + number, (16, 16)), kind))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("train_name", "val_name", "test_name"),
    [
        ("Train", "Val", "Test"),
        ("TRAINING", "valid", "testing"),
        ("train_set", "Validation Set", "test-data"),
        ("trn", "dev", "eval"),
        ("trainset", "valset", "TestImages"),
    ],
)
def test_names_of_splits(
    train: Train, tmp_path: Path, train_name: str, val_name: str, test_name: str
) -> None:
    for split, count in ((train_name, 4), (val_name, 2), (test_name, 3)):
        for name in ("cat", "dog"):
            pictures(tmp_path / "d" / split / name, count)
    done = train(tmp_path / "d")
    assert done.code == 0, done.said
    assert done.sizes() == {"train": 8, "val": 4, "test": 6}


@pytest.mark.slow
def test_classes_called_like_a_split(train: Train, tmp_path: Path) -> None:
    for name in ("train", "car", "plane"):
        pictures(tmp_path / "vehicles" / name, 6)
        for split in ("train", "test"):
            pictures(tmp_path / "split" / split / name, 3)
    done = train(tmp_path / "vehicles")
    assert done.code == 0, done.said
    assert set(done.sizes()) == {"train", "test"}
    assert done.remarks("read_as") == {"folders called like a split, read as classes": ["train"]}
    assert train(tmp_path / "split").sizes() == {"train": 9, "test": 9}


@pytest.mark.slow
def test_a_doubtful_layout_can_be_said(train: Train, tmp_path: Path) -> None:
    for name in ("test", "control"):
        pictures(tmp_path / "kits" / name, 6)
    refused = train(tmp_path / "kits")
    assert refused.code == 1
    assert "test is called like a split, but stands beside control" in refused.said
    assert "--folders classes or --folders splits" in refused.said
    assert sum(train(tmp_path / "kits", "--folders=classes").sizes().values()) == 12


DOUBTFUL = {
    "wrapped": (["all/cat", "all/dog"], "its only folder with pictures is all, which holds cat, dog"),
    "years": (["train2017/cat", "val2017/cat"], "train2017, val2017 look like splits"),
    "class first": (["cat/train", "cat/test", "dog/train", "dog/test"], "test, train are below cat, dog"),
    "two trains": (["train/cat", "Training/cat", "test/cat"], "Training, train are all called like train"),
    "no train": (["val/cat", "val/dog", "test/cat"], "test, val are called like a split, and there"),
    "no labels": (["train", "test"], "train holds 4 pictures and no class folders"),
    "classes beside": (["train/cat", "train/dog", "owl"], "called like a split, but stands beside owl"),
    "unknown class": (["train/cat", "train/dog", "test/Cat", "test/owl"], "no training pictures of Cat, owl"),
    "lonely split": (["train/cat", "val/cat", "test/cat"], "only the class 'cat'"),
    "flat": (["."], "no class folders"),
}  # fmt: skip


@pytest.mark.parametrize("case", DOUBTFUL)
def test_doubtful_layouts_are_refused_with_what_was_found(train: Train, tmp_path: Path, case: str) -> None:
    folders, words = DOUBTFUL[case]
    for folder in folders:
        pictures(tmp_path / "d" / folder)
    refused = train(tmp_path / "d")
    assert refused.code == 1
    assert words in refused.said
    assert "Traceback" not in refused.said


@pytest.mark.slow
def test_what_is_hidden_is_left_out_at_every_depth_and_named(train: Train, tmp_path: Path) -> None:
    root = tmp_path / "d"
    for name in ("cat", "dog"):
        pictures(root / "train" / name)
        pictures(root / "test" / name, 2)
    shutil.copytree(root / "train" / "cat", root / "train" / "cat" / ".ipynb_checkpoints")
    shutil.copytree(root / "train", root / "__MACOSX")
    shutil.copytree(root / "train" / "dog", root / "test" / "@eaDir")
    pictures(root / "train" / "dog" / "more" / ".cache")
    for name in ("._0.png", ".DS_Store", "Thumbs.db", "desktop.ini"):
        (root / "train" / "cat" / name).write_bytes(b"x")
    done = train(root)
    assert done.code == 0, done.said
    assert done.sizes() == {"train": 8, "test": 4}
    (hidden,) = done.remarks("left_out").values()
    assert set(hidden) == {
        "__MACOSX/ (12 files)", "test/@eaDir/ (4 files)", "train/cat/.ipynb_checkpoints/ (4 files)",
        "train/cat/.DS_Store", "train/cat/._0.png", "train/cat/Thumbs.db", "train/cat/desktop.ini",
        "train/dog/more/.cache/ (4 files)",
    }  # fmt: skip
    assert "8 hidden or system files and folders" in done.said
    card = json.loads(next((tmp_path / "runs").glob("*/result.json")).read_text())
    assert card["remarks"][0].startswith("8 hidden or system files")


@pytest.mark.slow
def test_links(train: Train, tmp_path: Path) -> None:
    root = tmp_path / "d"
    pictures(root / "cat", 5)
    pictures(tmp_path / "elsewhere" / "dog", 5)
    (root / "dog").symlink_to(tmp_path / "elsewhere" / "dog")
    (root / "cat" / "linked.png").symlink_to(pictures(tmp_path / "more", 1) / "0.png")
    (root / "cat" / "loop").symlink_to(root)
    (root / "cat" / "self").symlink_to("self")
    (root / "cat" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    os.mkfifo(root / "dog" / "pipe.png")
    done = train(root)
    assert done.code == 0, done.said
    assert sum(done.sizes().values()) == 11
    assert done.remarks("left_out") == {
        "links that lead nowhere": ["cat/gone.png"],
        "links that lead back to a folder they are in": ["cat/loop", "cat/self"],
        "sockets, pipes and devices": ["dog/pipe.png"],
    }


@pytest.mark.slow
def test_suffixes(train: Train, tmp_path: Path) -> None:
    root = tmp_path / "d"
    for name in ("good", "bad"):
        pictures(root / name, 3)
        for suffix in ("jfif", "jpe", "JPG"):
            pictures(root / name, 2, suffix.lower())
    (root / "good" / "without").write_bytes(encoded(noise(1, (9, 9)), "JPEG"))
    (root / "good" / "photo.heic").write_bytes(b"a picture of a telephone")
    (root / "notes.txt").write_text("about these")
    done = train(root)
    assert done.code == 0, done.said
    assert sum(done.sizes().values()) == 2 * 9 + 1
    what = done.remarks("left_out")
    assert what == {"files with another suffix than a picture's": ["good/photo.heic", "notes.txt"]}


def test_a_class_whose_pictures_are_not_read_is_refused(train: Train, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        pictures(tmp_path / "d" / name)
    (tmp_path / "d" / "owl").mkdir()
    (tmp_path / "d" / "owl" / "1.heic").write_bytes(b"x")
    refused = train(tmp_path / "d")
    assert refused.code == 1
    assert (
        "no training pictures of owl, left out: 1 files with another suffix than a picture's" in refused.said
    )


@pytest.mark.slow
def test_folders_without_pictures(train: Train, tmp_path: Path) -> None:
    root = tmp_path / "d"
    for name in ("cat", "dog"):
        pictures(root / "train" / name)
    (root / "train" / "empty").mkdir()
    (root / "test").mkdir()
    (root / "docs").mkdir()
    (root / "docs" / "readme.md").write_text("about")
    done = train(root)
    assert done.code == 0, done.said
    assert set(done.sizes()) == {"train", "test"}
    assert done.remarks("left_out")["empty folders"] == ["test", "train/empty"]


@pytest.mark.slow
def test_a_split_without_labels_is_left_out(train: Train, tmp_path: Path) -> None:
    root = tmp_path / "d"
    for name in ("cat", "dog"):
        pictures(root / "train" / name, 5)
        pictures(root / "unlabelled" / name, 1)
    pictures(root / "test", 3)
    pictures(root / "train", 1)
    done = train(root)
    assert done.code == 0, done.said
    assert done.sizes() == {"train": 8, "test": 2}
    assert done.remarks("left_out") == {
        "pictures without a label, in a split without class folders": [
            "test/0.png", "test/1.png", "test/2.png",
        ],
        "pictures outside of class folders": ["train/0.png"],
        "pictures in folders beside the splits": ["unlabelled/cat/0.png", "unlabelled/dog/0.png"],
    }  # fmt: skip


@pytest.mark.slow
def test_folders_in_class_folders_are_read_and_said(train: Train, tmp_path: Path) -> None:
    root = tmp_path / "d"
    pictures(root / "cat", 5)
    pictures(root / "dog" / "2021" / "may", 5)
    done = train(root)
    assert done.code == 0, done.said
    ((what, names),) = done.remarks("read_as").items()
    assert what.startswith("pictures in folders below class folders")
    assert len(names) == 5


@pytest.mark.slow
def test_names_in_any_bytes(train: Train, tmp_path: Path) -> None:
    root = tmp_path / "d"
    for name in ("cafe\u0301", "dog"):
        pictures(root / "train" / name, 5)
    pictures(root / "test" / "caf\u00e9", 2)
    pictures(root / "test" / "dog", 2)
    (root / "train" / "dog" / "0.png").rename(root / "train" / "dog" / os.fsdecode(b"caf\xe9.png"))
    done = train(root)
    assert done.code == 0, done.said
    assert done.sizes() == {"train": 10, "test": 4}
    assert "train/dog/caf\\xe9.png" in done.splits["train"]
    assert train(root.rename(tmp_path / os.fsdecode(b"d\xe9"))).code == 0


def test_a_class_with_one_picture_is_named(train: Train, tmp_path: Path) -> None:
    pictures(tmp_path / "d" / "many", 10)
    pictures(tmp_path / "d" / "one", 1)
    refused = train(tmp_path / "d")
    assert refused.code == 1
    assert "one picture only of one (1 of 2 classes)" in refused.said
    assert "add pictures of it" in refused.said


@pytest.mark.slow
def test_a_class_that_is_far_larger(train: Train, tmp_path: Path) -> None:
    pictures(tmp_path / "d" / "ok", 60)
    pictures(tmp_path / "d" / "bad", 5)
    done = train(tmp_path / "d")
    assert done.code == 0, done.said
    assert done.remarks("unbalanced") == {
        "classes have less than a tenth of the 48 training pictures of ok: accuracy says little of them": [
            "bad (4)"
        ]
    }
    assert "bad (4)" in done.said


@pytest.fixture
def twins(tmp_path: Path) -> Path:
    root = tmp_path / "twins"
    for name in ("cat", "dog"):
        pictures(root / "train" / name, 4)
        pictures(root / "test" / name, 3)
    for name, copy in (
        ("cat/0.png", "test/cat/a.png"),
        ("dog/1.png", "train/cat/b.png"),
        ("dog/2.png", "train/dog/c.png"),
    ):
        shutil.copy(root / "train" / name, root / copy)
    return root


@pytest.mark.slow
def test_equal_pictures_are_found_by_content(train: Train, twins: Path) -> None:
    done = train(twins)
    assert done.code == 0, done.said
    assert done.remarks("equal_across") == {
        "of the 7 test pictures are in train too": ["test/cat/a.png = train/cat/0.png"]
    }
    assert done.remarks("two_labels") == {
        "pictures under more than one label": ["train/cat/b.png (cat) = train/dog/1.png (dog)"]
    }
    assert (
        "train/dog/c.png = train/dog/2.png"
        in done.remarks("equal_within")["train pictures repeat another of train"]
    )
    assert "1 of the 7 test pictures are in train too: test/cat/a.png = train/cat/0.png" in done.said


def test_strict_data_refuses_equal_pictures(train: Train, twins: Path) -> None:
    refused = train(twins, "--strict-data")
    assert refused.code == 1
    assert "--strict-data: 1 of the 7 test pictures are in train too" in refused.said
    assert "1 pictures under more than one label" in refused.said


@pytest.mark.slow
def test_a_split_that_is_made_keeps_equal_pictures_together(train: Train, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        folder = pictures(tmp_path / "d" / name, 10)
        for copy in range(10):
            shutil.copy(folder / f"{copy}.png", folder / f"copy of {copy}.png")
    done = train(tmp_path / "d", "--strict-data")
    assert done.code == 0, done.said
    assert done.sizes() == {"train": 32, "test": 8}
    assert not done.remarks("equal_across")


@pytest.mark.slow
def test_going_on_without_damaged_files(train: Train, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        pictures(tmp_path / "d" / name, 10)
    (tmp_path / "d" / "cat" / "0.png").write_bytes(encoded(noise(1, (99, 99)))[:3000])
    (tmp_path / "d" / "dog" / "0.png").write_bytes(b"")
    refused = train(tmp_path / "d")
    assert refused.code == 1
    assert "--skip-damaged goes on without them" in refused.said
    done = train(tmp_path / "d", "--skip-damaged")
    assert done.code == 0, done.said
    assert sum(done.sizes().values()) == 18
    (damaged,) = done.remarks("left_out").values()
    assert [name.split(":")[0] for name in damaged] == ["cat/0.png", "dog/0.png"]
    assert "2 damaged files" in done.said


@pytest.mark.slow
def test_some_pictures_of_each_class(train: Train, tmp_path: Path) -> None:
    for name, count in (("cat", 20), ("dog", 4)):
        pictures(tmp_path / "d" / "train" / name, count)
        pictures(tmp_path / "d" / "test" / name, 2)
    done = train(tmp_path / "d", "--shots=5")
    assert done.code == 0, done.said
    assert done.sizes() == {"train": 9, "test": 4}
    assert done.splits["made"] == ["train: 9 of 24 pictures, 5 of each class, fewer of dog, seed 0"]
    other = train(tmp_path / "d", "--shots=5", "--split-seed=1")
    assert other.splits["train"] != done.splits["train"]
