import pytest
from pydantic import ValidationError

from training.options.train_config import TrainConfig
from training.search.search_config import SearchConfig


def test_a_search_leaves_the_options_of_a_run_as_they_were_given() -> None:
    config = SearchConfig(task="x", search=True, epochs=3, seeds=2, grid_lr="0.01,0.03")
    assert config.grid_lr == (0.01, 0.03)
    plain = config.plain(lr=0.03)
    assert type(plain) is TrainConfig
    assert plain == TrainConfig(task="x", epochs=3, lr=0.03)
    assert plain.model_fields_set == {"task", "epochs", "lr"}


def test_the_options_of_a_search_leave_the_key_of_its_runs_alone() -> None:
    assert SearchConfig(task="x", search=True, seeds=5).of_the_key() == TrainConfig(task="x").of_the_key()


def test_the_grid_of_vpt_decays_no_biases_unless_told_to() -> None:
    assert not SearchConfig(task="x", search=True, grid="vpt").plain().decay_biases
    assert SearchConfig(task="x", search=True, grid="vpt", decay_biases=True).plain().decay_biases
    assert SearchConfig(task="x", search=True).plain().decay_biases


def test_auto_goes_with_what_every_candidate_can_do() -> None:
    config = SearchConfig(task="x", method="auto", publish=True, calibrate=True, drop_path=0.2, epochs=3)
    assert config.publishes
    assert SearchConfig(task="x", method="auto").publishes
    assert not SearchConfig(task="x", method="auto", publish=False).publishes


def test_defaults_that_are_given_are_no_choice() -> None:
    """As `config.toml` of a run has them all."""
    assert (
        SearchConfig(task="x", method="auto", train_split="trainval", val_every=0, lr=None).method == "auto"
    )


def test_a_single_run_has_no_auto() -> None:
    with pytest.raises(ValidationError, match="no method 'auto'"):
        TrainConfig(task="x", method="auto")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"seeds": 3}, "seeds needs search"),
        ({"search": True, "seeds": 3, "seed": 2**63 - 2}, "beyond the highest seed"),
        ({"grid": "vpt"}, "grid needs search"),
        ({"search": True, "lr": 0.1}, "lr is the search's to choose"),
        ({"search": True, "train_split": "train"}, "train_split is the search's to choose"),
        ({"search": True, "grid": "vpt", "optimizer": "sgd"}, "optimizer goes with the grid"),
        ({"search": True, "grid_lr": "0"}, "must be above 0"),
        ({"search": True, "grid_lr": "0.1,0.1"}, "different values"),
        ({"search": True, "grid_lr": "a"}, "valid number"),
        ({"search": True, "grid_weight_decay": "-1"}, "at least 0"),
        ({"method": "auto", "search": True}, "search is for one method"),
        ({"method": "auto", "search": True, "joint_trials": 2}, "search is for one method"),
        ({"method": "auto", "lr": 0.1}, "lr is for one method"),
        ({"method": "auto", "head_layers": 1}, "head_layers is for one method"),
        ({"method": "auto", "warm_start": "pets"}, "warm_start is for one method"),
        ({"method": "auto", "train_split": "train"}, "train_split is auto's to choose"),
        ({"method": "auto", "train_split": "train", "val_every": 1}, "is auto's to choose"),
        ({"method": "magic"}, "no method 'magic'"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        SearchConfig.model_validate({"task": "x"} | options)
