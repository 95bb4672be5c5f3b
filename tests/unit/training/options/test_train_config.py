from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from adapters.kinds.bottleneck.options import BottleneckOptions
from adapters.kinds.combined.options import CombinedOptions
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.linear.options import LinearOptions
from training.methods import with_recipe
from training.options.knob import knob
from training.options.train_config import TrainConfig

New = Callable[..., TrainConfig]


def test_the_paper_reading_is_the_default() -> None:
    assert TrainConfig(task="digits", method="dvpt").kind_options == DvptOptions()


def test_vpt_has_prompts_without_a_meta_net() -> None:
    prompts = TrainConfig(task="digits", method="vpt", prompt_count=7, meta_layers=6).kind_options
    assert prompts == DvptOptions(count=7, meta_net="none")


@pytest.mark.parametrize(
    ("method", "given", "columns"),
    [("dvpt-plus", None, 8), ("dvpt-wide", None, 32), ("dvpt-wide", 4, 4), ("dvpt-plus", 32, 32)],
)
def test_a_bottleneck_is_as_wide_as_the_recipe_says_unless_a_width_is_given(
    method: str, given: int | None, columns: int
) -> None:
    config = with_recipe(TrainConfig(task="digits", method=method, bottleneck_width=given))
    assert isinstance(config.kind_options, CombinedOptions)
    assert config.kind_options.bottleneck == BottleneckOptions(width=columns)


def test_a_head_alone_has_no_prompts() -> None:
    assert TrainConfig(task="digits", method="linear").kind_options == LinearOptions()
    assert TrainConfig(task="digits", method="mlp").kind_options == LinearOptions()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"eval_split": "val"}, "must not be trained on"),
        ({"val_every": 1}, "must not be trained on"),
        ({"task": "../escape"}, "task name"),
        ({"name": "Upper"}, "task name"),
        ({"label": "3"}, "numbers name versions"),
        ({"lr": 0.0}, "greater than 0"),
        ({"prompts": 3}, "Extra inputs"),
        ({"patience": 2}, "patience needs val_every"),
        ({"patience": 2, "train_split": "train"}, "patience needs val_every"),
        ({"method": "linear", "drop_path": 0.1}, "drop_path has no use for linear"),
        ({"method": "sidetune", "drop_path": 0.1}, "drop_path has no use for sidetune"),
        ({"method": "full", "warm_start": "digits"}, "warm_start needs a published adapter"),
        ({"method": "full", "calibrate": True}, "full cannot be published"),
        ({"calibrate": True, "train_split": "train", "eval_split": "val"}, "needs eval_split test"),
        ({"label_smoothing": 1.0}, "less than 1"),
        ({"random_shift": 0.1, "random_crop": "shift"}, "both move the pictures; give one"),
        ({"seed": 2**63}, "less than or equal to 9223372036854775807"),
        ({"split_seed": 2**32}, "less than or equal to 4294967295"),
    ],
)
def test_options_that_disagree_are_refused(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        TrainConfig.model_validate({"task": "digits", **options})


def test_the_key_follows_what_changes_the_result(new_config: New) -> None:
    base = new_config().of_the_key()
    assert new_config(seed=1).of_the_key() != base
    for option in (
        {"label_smoothing": 0.1},
        {"drop_path": 0.1},
        {"patience": 2, "val_every": 1, "train_split": "train"},
        {"deterministic": True},
    ):
        assert new_config(**option).of_the_key() != base, option
    for other in ({"dry_run": True}, {"calibrate": True}, {"warm_start": "digits"}):
        assert new_config(**other).of_the_key() == base, other
    other_place = new_config(runs=Path("elsewhere"), publish=False, name="other", fresh=True)
    assert other_place.of_the_key() == base


def test_what_has_a_content_is_not_known_by_its_spelling(new_config: New) -> None:
    base = new_config().of_the_key()
    for option in (
        {"task": "pets"}, {"data": "elsewhere"}, {"data_root": "."}, {"weights": "w.safetensors"},
        {"device": "auto"}, {"precision": "auto"}, {"split_seed": 3}, {"decode_threads": 7},
    ):  # fmt: skip
        assert new_config(**option).of_the_key() == base, option


@pytest.mark.parametrize(
    ("method", "idle"),
    [
        ("linear", {"prompt_count": 7, "meta_layers": 6, "partial_blocks": 2}),
        ("vpt", {"meta_net": "specific", "sequential_reduction": 4}),
        ("full", {"prompt_dropout": 0.5}),
    ],
)
def test_what_a_method_has_no_use_for_is_not_in_the_key(
    new_config: New, method: str, idle: dict[str, object]
) -> None:
    assert new_config(method=method, **idle).of_the_key() == new_config(method=method).of_the_key()
    assert new_config(method="dvpt", prompt_count=7).of_the_key() != new_config(method="dvpt").of_the_key()


def test_a_knob_added_later_keeps_the_keys_of_today(new_config: New) -> None:
    class Later(TrainConfig):
        new_knob: int = knob(3, "method", "a knob of tomorrow")

    config = new_config()
    assert Later.model_validate(config.model_dump()).of_the_key() == config.of_the_key()


def test_a_default_given_in_full_keeps_the_key(new_config: New) -> None:
    assert new_config(weight_decay=1e-4).of_the_key() == new_config().of_the_key()


def test_every_knob_is_described_and_grouped() -> None:
    for name, field in TrainConfig.model_fields.items():
        extra = field.json_schema_extra
        assert field.description, name
        assert isinstance(extra, dict), name
        assert extra["group"], name
