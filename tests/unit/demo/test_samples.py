"""Samples are test pictures of the class that names their file."""

import re
from pathlib import Path

import pytest
from PIL import Image

from demo.samples import write_samples
from training.data.embedded import EMBEDDED_TASKS, load_embedded


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    return write_samples(tmp_path_factory.mktemp("samples") / "pictures")


@pytest.mark.parametrize("task", EMBEDDED_TASKS)
def test_each_class_has_one_test_picture_of_its_own(task: str, samples: dict[str, list[Path]]) -> None:
    pictures, labels = load_embedded(task, "test")

    for index, path in enumerate(samples[task]):
        with Image.open(path) as opened:
            sample = opened.tobytes()
        found = [labels[i] for i, picture in enumerate(pictures) if picture.tobytes() == sample]
        assert index in found


@pytest.mark.parametrize("task", EMBEDDED_TASKS)
def test_files_are_named_by_their_class_and_need_no_quotes(task: str, samples: dict[str, list[Path]]) -> None:
    names = [path.name for path in samples[task]]
    assert len(set(names)) == len(EMBEDDED_TASKS[task].classes)
    for name, class_name in zip(names, EMBEDDED_TASKS[task].classes, strict=True):
        assert re.fullmatch(r"[a-z0-9-]+\.png", name)
        assert re.findall(r"\d+", name) == re.findall(r"\d+", class_name)


def test_only_the_samples_asked_for_are_written(tmp_path: Path) -> None:
    assert list(write_samples(tmp_path, ("digits",))) == ["digits"]
    assert [folder.name for folder in tmp_path.iterdir()] == ["digits"]
