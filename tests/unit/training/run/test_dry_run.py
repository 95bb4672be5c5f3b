import re
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import save

from adapters.store.store import Store
from training.options.train_config import TrainConfig
from training.run.dry_run import dry_run, measure, memory_bytes
from training.run.execution import execute
from training.run.run import Run

New = Callable[..., TrainConfig]
Make = Callable[..., Path]


def lines(text: str) -> dict[str, str]:
    return {line.partition(": ")[0]: line.partition(": ")[2] for line in text.splitlines()}


@pytest.mark.slow
@pytest.mark.parametrize("method", ["dvpt", "linear"])
def test_it_says_what_the_run_then_is(
    new_config: New, picture_folder: Make, tmp_path: Path, method: str
) -> None:
    config = new_config(data=picture_folder(flat=20), method=method)
    said = lines(dry_run(Run(config)))
    assert {path.name for path in tmp_path.iterdir()} == {"pictures"}
    assert said["pictures"] == "48 to train on, 12 to evaluate (train 48, test 12)"
    run = Run(config)
    outcome = execute(run, "dvpt-train")
    counts = outcome.provenance.parameters
    assert said["trained parameters"].startswith(f"{counts.with_head:,} with head")
    artifact = Store.open(outcome.store).load("colours", 1)
    assert said["adapter"] == f"{len(save(artifact.tensors)):,} bytes when published"
    assert said["run directory"] == str(outcome.run)
    assert said["publishing"] == f"colours to {outcome.store}, label stable"
    assert re.match(r"about \d+ s; 2 epochs of 6 steps, \d+ ms a step", said["time"])
    assert "2 epochs of 6 steps, of which 2 are trained already" in lines(dry_run(Run(config)))["time"]


def test_a_method_that_is_not_served_has_no_adapter(new_config: New, picture_folder: Make) -> None:
    said = lines(dry_run(Run(new_config(data=picture_folder(train=4, test=2), method="full"))))
    assert said["adapter"] == "none: a service cannot run full"
    assert said["publishing"] == "nothing"


@pytest.mark.parametrize("method", ["dvpt", "linear"])
def test_pictures_to_be_cropped_are_kept_larger(new_config: New, picture_folder: Make, method: str) -> None:
    options = {"random_crop": "shift", "fit": "crop", "resize_ratio": 1.25, "method": method}
    costs = measure(Run(new_config(data=picture_folder(train=4, test=2), **options)))
    assert costs.kept_bytes == 3 * 40 * 40


def test_costs_are_measured_on_few_pictures(new_config: New, picture_folder: Make) -> None:
    """Also where a split is smaller than a batch, and with the options that change a step."""
    config = new_config(
        data=picture_folder(train=3, val=2, test=2), batch_size=50, train_split="train", val_every=1,
        patience=2, drop_path=0.5, calibrate=True,
    )  # fmt: skip
    run = Run(config)
    costs = measure(run)
    assert min(costs.decode_s, costs.step_s, costs.evaluate_s) > 0
    assert costs.kept_bytes == 3 * 32 * 32
    assert memory_bytes(run, costs) > 1e7
    assert lines(dry_run(run))["time"].startswith("at most ")
