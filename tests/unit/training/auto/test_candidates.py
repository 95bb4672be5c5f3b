"""Which methods auto tries, and with which options."""

from collections.abc import Callable
from pathlib import Path

import pytest

from training.auto.candidates import Candidate, candidate_of, options_of, trial_options, trials
from training.options.train_config import TrainConfig
from training.run.workbench import Workbench
from training.search.search_config import SearchConfig


@pytest.mark.parametrize(
    ("epochs", "at_once", "short"), [(15, False, 4), (1, False, 1), (3, False, 1), (100, True, 100)]
)
def test_a_quarter_of_the_epochs_comes_first(epochs: int, at_once: bool, short: int) -> None:
    assert Candidate("x", 1, epochs, at_once).short_epochs == short


def test_every_method_is_given_what_it_has_a_use_for() -> None:
    config = SearchConfig(task="x", method="auto", drop_path=0.2, epochs=3, prompt_count=4, seed=5)
    linear, dvpt = options_of(config, "linear"), options_of(config, "dvpt")
    assert (linear.method, linear.drop_path, linear.epochs, linear.seed) == ("linear", None, None, 5)
    assert (dvpt.method, dvpt.drop_path, dvpt.epochs, dvpt.prompt_count) == ("dvpt", 0.2, 3, 4)
    assert type(dvpt) is TrainConfig


def test_trials_are_on_train_and_leave_nothing_elsewhere(tmp_path: Path) -> None:
    config = SearchConfig(task="x", method="auto", predictions=tmp_path / "a.csv", fresh=True, publish=True)
    trial = trial_options(config, "affine", epochs=4)
    assert (trial.train_split, trial.eval_split, trial.epochs) == ("train", "val", 4)
    assert (trial.publishes, trial.predictions, trial.fresh, trial.calibrate) == (False, None, False, False)


def test_the_fewest_trained_values_come_first(
    new_config: Callable[..., TrainConfig], picture_folder: Callable[..., Path]
) -> None:
    plain = new_config(data=picture_folder(train=4, val=2, test=2), epochs=8).model_dump(exclude_unset=True)
    config = SearchConfig.model_validate(plain | {"method": "auto"})
    found = [candidate_of(run) for run in trials(config, Workbench()).values()]
    assert [one.values for one in found] == sorted(one.values for one in found)
    assert found[0] == Candidate("linear", 3 * 65, 0, at_once=True)
    assert {one.method for one in found} == {"linear", "affine", "dvpt", "dvpt-plus", "dvpt-wide"}
    assert found[-1].method == "dvpt-wide"
    assert not any(one.at_once for one in found[1:])
