from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.config import PreprocessConfig
from training.data.catalogue import TASKS
from training.data.downloads import DOWNLOADS
from training.data.folders import LAYOUTS
from training.data.pixels import Decoder
from training.data.task_data import is_embedded, open_task
from training.errors import DataNotFound, DataUnusable
from training.options.train_config import TrainConfig

New = Callable[..., TrainConfig]
Make = Callable[..., Path]


def test_embedded_tasks_need_no_folder(new_config: New) -> None:
    data = open_task(new_config(task="digits"))
    assert len(data.classes) == 10
    assert set(data.splits) == {"train", "val", "test"}
    assert is_embedded(new_config(task="digits"))


def test_a_folder_goes_before_an_embedded_task(new_config: New, picture_folder: Make) -> None:
    config = new_config(task="digits", data=picture_folder(train=2, test=1))
    assert not is_embedded(config)
    assert open_task(config).classes == ("amber", "blue", "coral")


@pytest.mark.parametrize("place", ["imagefolder/colours", "vtab-1k/colours", "colours"])
def test_a_task_is_found_below_the_root(
    new_config: New, picture_folder: Make, tmp_path: Path, place: str
) -> None:
    folder = picture_folder(train=2, test=1)
    (tmp_path / "root" / place).parent.mkdir(parents=True)
    folder.rename(tmp_path / "root" / place)
    data = open_task(new_config(data_root=tmp_path / "root"))
    assert data.classes == ("amber", "blue", "coral")


def test_the_environment_names_the_root(
    new_config: New, data_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVPT_DATA_ROOT", str(data_root))
    assert len(open_task(new_config(task="eurosat")).splits["test"]) == 3000
    assert len(open_task(new_config(task="dtd10")).splits["test"]) == 400


def test_a_missing_validation_part_is_cut_off_only_when_needed(new_config: New, picture_folder: Make) -> None:
    folder = picture_folder(train=10, test=1)
    assert set(open_task(new_config(data=folder)).splits) == {"train", "test"}
    data = open_task(new_config(data=folder, train_split="train", val_fraction=0.2))
    assert len(data.splits["val"]) == 6
    assert data.made


@pytest.mark.parametrize("name", TASKS)
def test_every_task_opens_from_its_benchmarks_lists(
    new_config: New, vtab_folder: Make, fgvc_folder: Make, tmp_path: Path, name: str
) -> None:
    if TASKS[name].group == "fgvc":
        train = {f"{label}/{row}.png": label for label in (1, 2) for row in range(10)}
        fgvc_folder(f"fgvc/{name}", images="images", train=train, test={"test/a.png": 2})
    else:
        vtab_folder(f"vtab-1k/{name}", train800=(0, 1), val200=(1,), test=(1, 0))
    data = open_task(new_config(task=name, data_root=tmp_path, train_split="train"))
    assert len(data.classes) == TASKS[name].class_count
    assert set(data.splits) == {"train", "val", "test"}
    assert data.source.startswith(f"{TASKS[name].title}, ")
    test_count = len(data.splits["test"])
    assert (
        f"test: {test_count} pictures, not the {TASKS[name].test_count} "
        f"of the official {TASKS[name].benchmark} split of {TASKS[name].title}"
    ) in data.notes
    for split in data.splits.values():
        assert Decoder(PreprocessConfig(), 8, threads=1).load(split).shape == (len(split), 3, 8, 8)


@pytest.mark.parametrize("name", TASKS)
def test_every_task_opens_from_class_folders_labelled_as_unofficial(
    new_config: New, picture_folder: Make, tmp_path: Path, name: str
) -> None:
    (tmp_path / "imagefolder").mkdir()
    picture_folder(train=2, test=1).rename(tmp_path / "imagefolder" / name)
    data = open_task(new_config(task=name, data_root=tmp_path))
    assert data.classes == ("amber", "blue", "coral")
    assert [departure.splits for departure in data.departures] == [("train", "test")]
    assert f"not the official {TASKS[name].benchmark} split of {TASKS[name].title}" in data.notes[0]


@pytest.mark.parametrize("name", sorted(set(TASKS) - {"dsprites_loc", "dsprites_ori"}))
def test_missing_data_names_places_layouts_and_where_to_get_it(
    new_config: New, tmp_path: Path, name: str
) -> None:
    with pytest.raises(DataNotFound) as caught:
        open_task(new_config(task=name, data_root=tmp_path))
    message = str(caught.value)
    for part in (*(f"{tmp_path / folder / name}" for folder in ("vtab-1k", "fgvc", "imagefolder")), *LAYOUTS):
        assert part in message
    assert f"can be had at {TASKS[name].source}." in message
    assert ("cannot be downloaded" in message or "h5py" in message) == (name in DOWNLOADS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "embedded"),
    [("dsprites_loc", "sprites-location"), ("dsprites-orientation", "sprites-orientation")],
)
def test_dsprites_is_drawn_where_it_is_not_found(
    new_config: New, vtab_folder: Make, tmp_path: Path, name: str, embedded: str
) -> None:
    config = new_config(task=name, data_root=tmp_path)
    data = open_task(config)
    assert not is_embedded(config)
    assert len(data.classes) == 16
    assert data.splits["val"].labels == open_task(new_config(task=embedded)).splits["val"].labels
    assert "drawn by formula" in data.source
    assert "drawn by formula" in data.notes[0]
    assert "not the official VTAB-1k split of dSprites/" in data.notes[0]
    vtab_folder(f"vtab-1k/{name}", train800=(0, 1), test=(1,))
    assert len(open_task(config).splits["test"]) == 1


@pytest.mark.parametrize(
    ("task", "folder"),
    [
        ("cifar100", "vtab-1k/cifar"),
        ("cifar", "vtab-1k/vtab-cifar(num_classes=100)"),
        ("clevr_dist", "vtab-1k/clevr-distance"),
        ("smallnorb-azimuth", "smallnorb_azi"),
    ],
)
def test_folders_are_found_by_their_aliases(
    new_config: New, vtab_folder: Make, tmp_path: Path, task: str, folder: str
) -> None:
    vtab_folder(folder, train800=(0, 1), test=(1,))
    assert open_task(new_config(task=task, data_root=tmp_path)).splits["train"].labels == (0, 1)


@pytest.mark.parametrize("folder", ["fgvc/flowers", "fgvc/OxfordFlowers", "OxfordFlower"])
def test_oxford_flowers_below_fgvc_is_fgvcs(
    new_config: New, fgvc_folder: Make, tmp_path: Path, folder: str
) -> None:
    fgvc_folder(folder, train={"a.png": 0, "b.png": 1}, val={"c.png": 1}, test={"d.png": 0})
    assert open_task(new_config(task="fgvc_flowers", data_root=tmp_path)).classes[1] == "class 1"
    with pytest.raises(DataNotFound):
        open_task(new_config(task="oxford_flowers102", data_root=tmp_path))


def test_a_label_that_the_catalogue_does_not_have(new_config: New, vtab_folder: Make) -> None:
    folder = vtab_folder("svhn", train800=(0, 1), val200=(10,), test=(1,))
    with pytest.raises(
        DataUnusable, match=r"label 10 in val \(images/val200/000000.png\), but SVHN .* has 10"
    ):
        open_task(new_config(task="svhn", data=folder))


def test_lists_of_a_users_own_task_keep_their_classes_and_need_pictures_of_each(
    new_config: New, vtab_folder: Make
) -> None:
    good = vtab_folder("good", train800=(0, 1, 2), test=(2,))
    assert len(open_task(new_config(task="house-numbers", data=good)).classes) == 3
    bad = vtab_folder("bad", train800=(0, 2), test=(2,))
    with pytest.raises(DataUnusable, match="no training pictures of class 1"):
        open_task(new_config(task="house-numbers", data=bad))


def test_a_class_without_test_pictures_is_put_in_words(new_config: New, vtab_folder: Make) -> None:
    folder = vtab_folder("pair", train800=(0, 1), test=(1, 1))
    assert open_task(new_config(data=folder)).made == ("test: no pictures of 1 of 2 classes",)


def test_fewer_pictures_than_classes(new_config: New, vtab_folder: Make, picture_folder: Make) -> None:
    with pytest.raises(DataUnusable, match="no training pictures of class 0, class 1, class 2"):
        open_task(new_config(data=vtab_folder("few", train800=(3, 4), test=(4,))))
    with pytest.raises(DataUnusable, match="no test part can be cut off: 2 of 6 pictures would be taken"):
        open_task(new_config(data=picture_folder(train=2)))


def test_a_picture_that_is_listed_twice_or_in_train_and_test(new_config: New, vtab_folder: Make) -> None:
    folder = vtab_folder("pair", train800=(0, 1), test=(1,))
    lines = (folder / "train800.txt").read_text()
    (folder / "train800.txt").write_text(lines + lines)
    with pytest.raises(DataUnusable, match=r"named more than once in train: images/train800/000000.png"):
        open_task(new_config(data=folder))
    (folder / "train800.txt").write_text(lines)
    (folder / "test.txt").write_text(lines)
    with pytest.raises(DataUnusable, match=r"in train and in test: images/train800/000000\.png"):
        open_task(new_config(data=folder))


def test_a_percentage_of_the_training_pictures(new_config: New, picture_folder: Make) -> None:
    data = open_task(new_config(data=picture_folder(train=20, test=1), train_percent=20))
    assert len(data.splits["train"]) == 12
    assert data.made == ("train: 12 of 60 pictures (20 %), drawn by class, seed 0",)
    fgvc = new_config(data=picture_folder(train=20, test=1), train_percent=20, train_split="train")
    assert [len(open_task(fgvc).splits[name]) for name in ("train", "val")] == [10, 12]


def test_a_percentage_that_fgvc_has_a_list_for(new_config: New, fgvc_folder: Make) -> None:
    every = {f"{label}/{row}.png": label for label in (0, 1) for row in range(10)}
    val = {f"val/{row}.png": row % 2 for row in range(10)}
    folder = fgvc_folder(train=every, train_10={"0/3.png": 0, "1/3.png": 1}, val=val, test={"t.png": 1})
    data = open_task(new_config(data=folder, train_percent=10))
    assert data.splits["train"].names == ("0/3.png", "1/3.png")
    assert len(data.splits["val"]) == 1
    assert data.made[:2] == (
        "train: 10 % of the pictures, from train_10.json",
        "val: 1 of 10 pictures (10 %), drawn by class, seed 0",
    )


def test_an_unknown_task_is_told_from_those_it_may_be_meant_for(new_config: New) -> None:
    with pytest.raises(DataNotFound, match=r"did you mean .*oxford_flowers102.*\?(.|\n)*set --data-root"):
        open_task(new_config(task="flowers10"))
    with pytest.raises(DataNotFound, match=r"did you mean digits\?"):
        open_task(new_config(task="digit"))


def test_an_unknown_task_is_told_what_there_is(new_config: New) -> None:
    with pytest.raises(DataNotFound) as caught:
        open_task(new_config(task="unheard-of"))
    assert "did you mean" not in str(caught.value)
    assert all(name in str(caught.value) for name in (*TASKS, "digits"))


def test_data_that_is_no_folder(new_config: New, tmp_path: Path) -> None:
    with pytest.raises(DataNotFound, match="is no folder"):
        open_task(new_config(data=tmp_path / "nowhere"))


def test_one_class_only(new_config: New, tmp_path: Path) -> None:
    (tmp_path / "lone" / "cat").mkdir(parents=True)
    (tmp_path / "lone" / "cat" / "a.png").write_bytes(b"")
    with pytest.raises(DataUnusable, match="only the class 'cat'"):
        open_task(new_config(data=tmp_path / "lone"))


def test_a_class_without_training_pictures(new_config: New, picture_folder: Make) -> None:
    folder = picture_folder(train=2, test=1)
    for path in (folder / "train" / "blue").iterdir():
        path.unlink()
    with pytest.raises(DataUnusable, match="no training pictures of blue"):
        open_task(new_config(data=folder))
