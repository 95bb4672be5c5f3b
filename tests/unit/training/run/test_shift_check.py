"""Training pictures are moved where that leaves their labels alone, and a linear head can tell."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adapters.vit.backbone import EMBEDDED_BACKBONE
from training.options.train_config import TrainConfig
from training.run.execution import execute
from training.run.run import Run
from training.run.workbench import Workbench

New = Callable[..., TrainConfig]
SIDE, BARS = 64, 4
TRAINED, TESTED = 88, 8


def bars(folder: Path, tell: Callable[[int, int], int]) -> Path:
    """Pictures of a bar at one of 32 columns, 1 to 4 pixels wide, on noise; classes as they are told."""
    rng = np.random.default_rng(0)
    for number in range(TRAINED + TESTED):
        column, wide = int(rng.integers(32)), int(rng.integers(BARS))
        pixels = rng.integers(0, 40, (SIDE, SIDE, 3), np.uint8)
        pixels[:, 16 + column : 16 + column + 1 + wide] = 255
        for part in ("test",) if number % 12 == 0 else ("train",):
            place = folder / part / f"class {tell(column, wide)}"
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(place / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def by_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The class is the bar's column, in steps of 4 pixels."""
    return bars(tmp_path_factory.mktemp("place"), lambda column, _: column // 4)


@pytest.fixture(scope="module")
def by_width(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bars(tmp_path_factory.mktemp("width"), lambda _, wide: wide)


@pytest.fixture
def new_run(new_config: New) -> Callable[..., Run]:
    workbench = Workbench(2**28)

    def made(data: Path, **options: object) -> Run:
        asked = {
            "method": "affine",
            "backbone": EMBEDDED_BACKBONE,
            "weights": None,
            "image_size": 64,
        } | options
        return Run(new_config(data=data, **asked), workbench)

    return made


def test_where_position_is_the_class_nothing_is_moved(new_run: Callable[..., Run], by_place: Path) -> None:
    run = new_run(by_place)
    assert run.shift_check is not None
    assert not run.shift_check.passed
    assert run.shift == 0.0
    assert run.new_training()._augmentation is None
    assert "training pictures are not moved" in str(run.shift_check)


def test_where_it_is_not_pictures_are_moved(new_run: Callable[..., Run], by_width: Path) -> None:
    run = new_run(by_width)
    assert run.shift_check is not None
    assert run.shift_check.passed
    assert (run.shift_check.pixels, run.shift_check.pictures) == (2, TRAINED)
    assert run.shift == 1 / 32
    assert run.new_training()._augmentation is not None
    assert "moved by up to 2 pixels" in str(run.shift_check)


def test_who_asks_for_it_has_it_unchecked(new_run: Callable[..., Run], by_place: Path) -> None:
    run = new_run(by_place, shift_check=False)
    assert (run.shift_check, run.shift) == (None, 1 / 32)


@pytest.mark.parametrize(
    "options",
    [{"random_shift": 0.0}, {"random_crop": "shift"}, {"method": "linear"}, {"random_shift": 0.001}],
)
def test_nothing_is_checked_where_nothing_would_be_moved(
    new_run: Callable[..., Run], by_width: Path, options: dict[str, object]
) -> None:
    run = new_run(by_width, **options)
    assert (run.shift_check, run.shift) == (None, 0.0)


def test_one_picture_a_class_tells_nothing(new_run: Callable[..., Run], by_width: Path) -> None:
    run = new_run(by_width, shots=1)
    assert (run.shift_check, run.shift) == (None, 0.0)


def test_runs_of_one_task_ask_once(
    new_run: Callable[..., Run], by_width: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "training"):
        checks = [new_run(by_width, method=method).shift_check for method in ("affine", "dvpt")]
    assert checks[0] is checks[1]
    assert sum("linear head fitted to moved ones" in line for line in caplog.messages) == 1


def test_what_was_done_is_written_down(new_run: Callable[..., Run], by_width: Path) -> None:
    run = new_run(by_width, epochs=1, publish=False)
    told = execute(run, "test").provenance.shift
    assert told is not None
    assert (told.pixels, told.pictures) == (2, TRAINED)
    assert told.moved < told.still
