"""What a run is made of, before anything is trained."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from adapters.errors import ConfigError
from training.loop.calibration import fit_temperature
from training.options.train_config import TrainConfig
from training.options.train_options import HIGHEST_SEED, HIGHEST_SPLIT_SEED
from training.run.execution import execute
from training.run.run import Run

New = Callable[..., TrainConfig]
Make = Callable[..., Path]


def test_changed_pictures_start_another_run(new_config: New, picture_folder: Make) -> None:
    folder = picture_folder(train=6, test=2)
    before = Run(new_config(data=folder)).directory.path
    (folder / "train" / "amber" / "000.png").write_bytes((folder / "train" / "blue" / "000.png").read_bytes())
    assert Run(new_config(data=folder)).directory.path != before


@pytest.mark.parametrize("other", [{"val_fraction": 0.4}, {"split_seed": 1}])
def test_other_pictures_held_back_are_another_run(
    new_config: New, picture_folder: Make, other: dict[str, Any]
) -> None:
    folder = picture_folder(train=6, val=3, test=2)

    def key(**options: Any) -> str:
        return Run(new_config(data=folder, **options)).identity.key

    assert key() != key(**other)
    none_held_back: tuple[dict[str, Any], ...] = (
        {"hold_back": 0.0}, {"train_split": "train"}, {"method": "full"}, {"method": "linear"}
    )  # fmt: skip
    for options in none_held_back:
        assert key(**options) == key(**options, **other), options


def test_the_head_starts_as_the_linear_head_of_what_it_is_given_and_no_surer_than_it_may_be(
    new_config: New, picture_folder: Make
) -> None:
    folder = picture_folder(train=14, val=7, test=2)
    run = Run(new_config(data=folder, method="affine", hold_back=0.0))
    run.start()
    pixels = run.decoder.load(run.held_out)
    started, labels = run.method.logits(pixels), torch.tensor(run.train.labels)
    temperature = fit_temperature(run.linear.head.out_of_fold, labels)
    assert temperature != pytest.approx(1, abs=0.05)
    expected = run.linear.head.logits(run.linear.features(run.held_out)) / temperature
    torch.testing.assert_close(started, expected, rtol=1e-3, atol=1e-3)


def test_class_weights_follow_the_training_pictures(new_config: New, picture_folder: Make) -> None:
    folder = picture_folder(train=6, test=2)
    for number in range(2, 6):
        (folder / "train" / "blue" / f"00{number}.png").unlink()
    weights = Run(new_config(data=folder, class_weights="balanced")).new_training()._class_weights
    assert weights is not None
    assert weights.tolist() == pytest.approx([14 / 18, 14 / 6, 14 / 18])
    assert Run(new_config(data=folder)).new_training()._class_weights is None


def test_float16_is_refused_on_a_processor(new_config: New, picture_folder: Make) -> None:
    with pytest.raises(ConfigError, match="fp16 needs a CUDA device, and this run is on cpu"):
        Run(new_config(data=picture_folder(train=4, test=2), precision="fp16"))


@pytest.mark.slow
def test_the_highest_seeds_there_may_be_are_trained_with(new_config: New, picture_folder: Make) -> None:
    options = {"method": "dvpt-plus", "epochs": 1, "flip": 0.5, "prompt_count": 2}
    seeds = {"seed": HIGHEST_SEED, "split_seed": HIGHEST_SPLIT_SEED}
    run = Run(new_config(data=picture_folder(flat=8), **options, **seeds))
    assert execute(run, "test", card=False).findings.predictions.accuracy >= 0
