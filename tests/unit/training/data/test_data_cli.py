"""`dvpt-train` on folders as people have them, by its own command line."""

import json
import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

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
    seed = zlib.crc32(os.fsencode(folder))
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
    small = "of 2 classes with less than a tenth of the 48 training pictures of ok"
    assert done.remarks("unbalanced") == {f"{small}: accuracy says little of them": ["bad (4)"]}
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


LISTS = {
    "plain.csv": "path,label,split\ncat/0.png,cat,train\ncat/1.png,cat,test\ndog/0.png,dog,train\n",
    "semicolons.csv": (
        "\ufeffFilename;Class;Set\ncat\\0.png;cat;Training\ncat\\1.png;cat;EVAL\ndog\\0.png;dog;trn\n"
    ),
    "tabs.tsv": "image\tlabel\tsplit\n\ncat/0.png\t0\ttrain\ncat/1.png\t0\ttest\ndog/0.png\t10\ttrain\n\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_pictures(train: Train, tmp_path: Path, name: str) -> None:
    for folder in ("cat", "dog"):
        pictures(tmp_path / "d" / folder)
    (tmp_path / "d" / name).write_text(LISTS[name], encoding="utf-8")
    done = train(tmp_path / "d" / name)
    assert done.code == 0, done.said
    assert done.sizes() == {"train": 2, "test": 1}


def test_a_class_of_damaged_files_is_not_one_of_copies(train: Train, tmp_path: Path) -> None:
    pictures(tmp_path / "d" / "cat")
    (tmp_path / "d" / "dog").mkdir()
    for number in range(3):
        (tmp_path / "d" / "dog" / f"{number}.png").touch()
    refused = train(tmp_path / "d")
    assert refused.code == 1
    assert "3 of 7 pictures cannot be read: dog/0.png: " in refused.said
    for number in range(3):
        (tmp_path / "d" / "dog" / f"{number}.png").write_bytes(encoded(noise(1, (16, 16))))
    assert "one picture only of dog (1 of 2 classes)" in train(tmp_path / "d").said


@pytest.mark.slow
def test_a_list_in_other_bytes_and_without_splits(train: Train, tmp_path: Path) -> None:
    lines = [b"path,label"]
    for folder in ("cat", "dog"):
        (pictures(tmp_path / folder, 5) / "0.png").rename(tmp_path / folder / os.fsdecode(b"caf\xe9.png"))
        lines += [f"{folder}/{number}.png,{folder}".encode() for number in range(1, 5)]
        lines += [folder.encode() + b"/caf\xe9.png," + folder.encode()]
    (tmp_path / "list.csv").write_bytes(b"\r\n".join(lines))
    done = train(tmp_path / "list.csv")
    assert done.code == 0, done.said
    assert done.sizes() == {"train": 8, "test": 2}


@pytest.mark.slow
def test_a_parquet_list(train: Train, tmp_path: Path) -> None:
    from pyarrow import parquet, table  # noqa: PLC0415 - an extra

    for folder in ("cat", "dog"):
        pictures(tmp_path / folder)
    rows = [(f"{folder}/{number}.png", folder) for folder in ("cat", "dog") for number in range(4)]
    columns = table({"path": [path for path, _ in rows], "label": [label for _, label in rows]})
    parquet.write_table(columns, tmp_path / "list.parquet")
    done = train(tmp_path / "list.parquet")
    assert done.code == 0, done.said
    assert done.sizes() == {"train": 6, "test": 2}
    (tmp_path / "text.parquet").write_text("path,label")
    assert "text.parquet is no Parquet file" in train(tmp_path / "text.parquet").said


@pytest.mark.parametrize("as_struct", [True, False])
def test_parquet_that_holds_the_pictures_is_no_list(train: Train, tmp_path: Path, *, as_struct: bool) -> None:
    from pyarrow import parquet, table  # noqa: PLC0415 - an extra

    files = [encoded(noise(seed, (9, 9))) for seed in range(4)]
    images = [{"bytes": file, "path": None} for file in files] if as_struct else files
    (tmp_path / "hub").mkdir()
    parquet.write_table(table({"image": images, "label": [0, 0, 1, 1]}), tmp_path / "hub" / "0.parquet")
    refused = train(tmp_path / "hub" / "0.parquet")
    assert refused.code == 1
    assert "the column image holds the pictures themselves and no paths" in refused.said
    assert f"--dataset {tmp_path / 'hub'}" in refused.said
    assert "PNG" not in refused.said


def test_parquet_without_the_library(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "list.parquet").write_bytes(b"PAR1")
    refused = train(tmp_path / "list.parquet")
    assert refused.code == 1
    assert "pip install 'dvpt-serve[parquet]'" in refused.said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cat/0.png,cat\n", "the first line must name the columns, found cat/0.png, cat"),
        ("path,label\ncat/0.png,\n", "line 2: no label"),
        ("path,label\ncat/0.png\n", "line 2: 1 columns"),
        ("path,label\ncat/9.png,cat\n", "1 of its 1 pictures are not there: cat/9.png (line 2)"),
        (
            "path,label,split\ncat/0.png,cat,later\n",
            "line 2: split 'later' is none of train: train,",
        ),
        ("path,label,split\ncat/0.png,cat,test\n", "no picture of the split train"),
        ('path,label\n"cat/0.png,cat\n', "unexpected end of data"),
        ("", "found nothing"),
        ("path,label\n", "no pictures"),
    ],
)
def test_a_list_that_is_not_understood(train: Train, tmp_path: Path, text: str, words: str) -> None:
    pictures(tmp_path / "cat")
    (tmp_path / "list.csv").write_text(text)
    refused = train(tmp_path / "list.csv")
    assert refused.code == 1
    assert words in refused.said


@pytest.mark.slow
def test_a_dataset_that_was_saved(train: Train, tmp_path: Path) -> None:
    import datasets  # noqa: PLC0415 - an extra

    features = datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=["cat", "dog"]),
            "note": datasets.Value("string"),
        }
    )
    tables = {
        split: datasets.Dataset.from_dict(
            {
                "image": [
                    {"bytes": encoded(noise(seed + row, (9, 9))), "path": None} for row in range(count)
                ],
                "label": [row % 2 for row in range(count)],
                "note": [""] * count,
            },
            features=features,
        )
        for split, count, seed in (
            ("train", 8, 0),
            ("validation", 2, 100),
            ("test", 4, 200),
            ("extra", 2, 300),
        )
    }
    datasets.DatasetDict(tables).save_to_disk(tmp_path / "saved")
    done = train(f"hf://{tmp_path / 'saved'}")
    assert done.code == 0, done.said
    assert done.sizes() == {"train": 8, "val": 2, "test": 4}
    assert done.remarks("left_out") == {"other splits": ["extra (2)"]}


@pytest.mark.slow
def test_a_dataset_folder_of_pictures(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    for name in ("cat", "dog"):
        pictures(tmp_path / "d" / "train" / name)
    done = train(f"hf://{tmp_path / 'd'}")
    assert done.code == 0, done.said
    assert done.sizes() == {"train": 6, "test": 2}


def test_a_dataset_that_cannot_be_had(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    refused = train("hf://nobody/nothing")
    assert refused.code == 1
    assert "dataset nobody/nothing cannot be had" in refused.said
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert "pip install 'dvpt-serve[datasets]'" in train("hf://nobody/nothing").said


def test_the_check_names_all_that_is_wrong_and_draws_a_page(
    train: Train, twins: Path, tmp_path: Path
) -> None:
    for split in ("train", "test"):
        (twins / split / "cat" / "0.png").write_bytes(b"text")
    (twins / "train" / "dog" / "notes.txt").write_text("x")
    Image.open(twins / "train" / "dog" / "3.png").save(twins / "test" / "dog" / "again.bmp")
    found = train(twins, "--check")
    assert found.code == 1
    for line in (
        "class    train     test",
        "cat          5        4",
        "formats: PNG 15, BMP 1",
        "left out: 1 files with another suffix than a picture's: train/dog/notes.txt",
        "equal: 1 pictures under more than one label: train/cat/b.png (cat) = train/dog/1.png (dog)",
        "train/dog/3.png = test/dog/again.bmp",
        "damaged: 2 files",
        "  test/cat/0.png: 4 bytes that are no picture",
        "page of pictures: ",
    ):
        assert line in found.shown
    assert "2 pictures cannot be read (--skip-damaged leaves them out)" in found.said
    page = (tmp_path / "runs" / "check-colours.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 16
    assert "test/cat/0.png" in page
    assert not list((tmp_path / "runs").glob("*/splits.json"))
    assert train(twins, "--check", "--skip-damaged").code == 0
    assert train(twins, "--check", "--skip-damaged", "--strict-data").code == 1


def test_the_check_shows_what_can_be_split_no_further(train: Train, tmp_path: Path) -> None:
    pictures(tmp_path / "d" / "many", 10)
    pictures(tmp_path / "d" / "one", 1)
    found = train(tmp_path / "d", "--check")
    assert found.code == 1
    assert "one          1" in found.shown
    assert "one picture only of one" in found.said


def test_more_pixels_than_memory_are_told_before(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cat", "dog"):
        pictures(tmp_path / "d" / name, 10)
        for number in range(10):  # decoding would complain of these
            (tmp_path / "d" / name / f"{number}.png").write_text(f"{name} {number}")
    monkeypatch.setattr("training.data.room.available", lambda: (30_000, "the control group's limit"))
    refused = train(tmp_path / "d")
    assert refused.code == 1
    assert "16 pictures of 32 px are kept as 0.0 GB of pixels, and 0.0 GB are free (the" in refused.said


STRICT = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "OMP_NUM_THREADS": "1"}


@pytest.mark.slow
def test_names_in_any_bytes_in_a_strict_locale(new_config: New, tmp_path: Path) -> None:
    config = new_config()
    root = tmp_path / os.fsdecode(b"d\xc3\xa9\xff")
    for name in ("кот", "cafe\u0301"):
        pictures(root / "train" / name, 3)
        pictures(root / "test" / name, 2)
    (root / "train" / "кот" / "0.png").rename(root / "train" / "кот" / os.fsdecode(b"caf\xe9.png"))
    command = [
        sys.executable, "-m", "training.cli", "--task=colours", f"--data={root}", "--image-size=32",
        f"--backbone={config.backbone}", f"--weights={config.weights}", f"--store={config.store}",
        f"--runs={config.runs}", "--prompt-count=2", "--epochs=1", "--device=cpu",
    ]  # fmt: skip
    for options in (["--check"], []):
        done = subprocess.run(
            [*command, *options], env=os.environ | STRICT, capture_output=True, check=False, timeout=240
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")
    splits = json.loads(next(config.runs.glob("*/splits.json")).read_text())
    assert "train/кот/caf\\xe9.png" in splits["train"]
    options = json.loads(next(config.runs.glob("*/config.json")).read_text())
    assert options["data"].endswith("dé\\xff")
