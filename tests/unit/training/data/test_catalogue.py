from collections.abc import Callable
from pathlib import Path

import pytest

from training.config import TrainConfig
from training.data.catalogue import is_embedded, open_task
from training.errors import DataNotFound, DataUnusable

New = Callable[..., TrainConfig]
Make = Callable[..., Path]


@pytest.fixture(autouse=True)
def _no_network_no_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DVPT_DATA_ROOT", raising=False)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


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


def test_no_data_names_places_layouts_and_where_to_get_it(new_config: New, tmp_path: Path) -> None:
    with pytest.raises(DataNotFound) as caught:
        open_task(new_config(task="eurosat", data_root=tmp_path))
    message = str(caught.value)
    for part in (
        str(tmp_path / "vtab-1k" / "eurosat"),
        "train800",
        "ImageFolder",
        "zenodo",
        "cannot be downloaded",
    ):
        assert part in message


def test_an_unknown_task_without_a_root(new_config: New) -> None:
    with pytest.raises(DataNotFound, match=r"set --data-root or \$DVPT_DATA_ROOT"):
        open_task(new_config(task="unheard-of"))


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
