"""The temperature and the thresholds that a run publishes, and what they are measured on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from adapters.store.store import Store
from training.card.findings import Calibration
from training.options.train_config import TrainConfig
from training.run.execution import Outcome, execute
from training.run.run import Run
from training.run.summary import summary

New = Callable[..., TrainConfig]
Make = Callable[..., Path]


def train(config: TrainConfig) -> tuple[Run, Outcome]:
    run = Run(config)
    return run, execute(run, "dvpt-train --task colours")


@pytest.mark.slow
def test_a_temperature_that_is_known_already_is_folded_in_without_another_run(
    new_config: New, picture_folder: Make
) -> None:
    options = {"data": picture_folder(train=4, test=4), "method": "linear", "epochs": 3, "publish": False}
    _, plain = train(new_config(**options, calibrate=False))
    run = Run(new_config(**options, calibrate=True))
    found = execute(run, "test", calibration=Calibration(2.0, 5, "elsewhere"))
    facts = found.provenance.calibration
    assert facts is not None
    assert (facts.temperature, facts.pictures, facts.run) == (2.0, 5, "elsewhere")
    before, after = plain.findings.predictions.logits, found.findings.predictions.logits
    torch.testing.assert_close(after * 2, before)
    assert len(list(run.directory.path.parent.iterdir())) == 1


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "trainval"])
@pytest.mark.parametrize("method", ["dvpt-plus", "linear"])
def test_a_temperature_is_folded_in_from_pictures_that_were_not_trained_on(
    new_config: New, picture_folder: Make, split: str, method: str
) -> None:
    options: dict[str, Any] = {"epochs": 0}
    if method != "linear":
        options = {"lr": 0.02, "epochs": 12, "linear_floor": False}
    options |= {"data": picture_folder(train=28, val=8, test=6), "train_split": split, "method": method}
    _, plain = train(new_config(**options, calibrate=False))
    _, found = train(new_config(**options))
    assert found.run == plain.run  # what was trained is used again
    facts = found.provenance.calibration
    assert facts is not None
    of_all, unseen = {"train": (84, 24), "trainval": (108, 21)}[split]
    assert facts.pictures == (of_all if method == "linear" else unseen)
    before, after = plain.findings.predictions, found.findings.predictions
    assert torch.equal(before.predicted, after.predicted)
    torch.testing.assert_close(after.logits * facts.temperature, before.logits, rtol=0.02, atol=0.02)
    assert facts.temperature != pytest.approx(1.0, abs=0.01)
    assert facts.error_before == pytest.approx(plain.findings.reliability.error, abs=0.01)
    assert plain.provenance.calibration is None
    card = Store.open(found.store).card("colours", found.version or 0)
    assert f"a temperature of {facts.temperature:.4f}" in card["README.md"].decode()


def test_without_pictures_to_fit_it_on_there_is_no_temperature(new_config: New, picture_folder: Make) -> None:
    _, few = train(new_config(data=picture_folder(train=4, test=2)))
    assert few.provenance.calibration is None
    _, untouched = train(new_config(data=picture_folder(train=14, val=7, test=2), hold_back=0.0))
    assert untouched.provenance.calibration is None


def test_a_run_publishes_the_thresholds_that_it_measured(new_config: New, picture_folder: Make) -> None:
    folder = picture_folder(train=28, val=8, test=6)
    run, outcome = train(new_config(data=folder, method="linear", epochs=0, accept_precision=0.9))
    found = Store.open(outcome.store).config("colours", outcome.version or 0).acceptance
    assert found is not None
    assert found == (outcome.findings.calibration and outcome.findings.calibration.acceptance)
    assert (found.precision, found.pictures, len(found.thresholds)) == (0.9, len(run.train), 3)
    assert "accepted of test: " in summary(run, outcome)
    card = Store.open(outcome.store).card("colours", outcome.version or 0)["README.md"].decode()
    assert "90% of those accepted were right" in card


def test_a_head_that_no_picture_was_left_out_of_has_no_temperature(
    new_config: New, picture_folder: Make
) -> None:
    folder = picture_folder(train=14, val=7, test=2)
    _, outcome = train(new_config(data=folder, method="linear", epochs=0, shots=1))
    assert outcome.provenance.calibration is None


def test_a_known_temperature_is_folded_in_instead(new_config: New, picture_folder: Make) -> None:
    run = Run(new_config(data=picture_folder(train=14, val=7, test=2)))
    found = execute(run, "x", calibration=Calibration(2.5, 99, "elsewhere"))
    assert found.provenance.calibration is not None
    assert found.provenance.calibration.temperature == 2.5
    assert found.provenance.calibration.run == "elsewhere"
