from pathlib import Path

import pytest

from training.arguments import build_parser, parse_arguments
from training.config import TrainConfig


def parse(*argv: str) -> TrainConfig:
    return parse_arguments(TrainConfig, argv, prog="dvpt-train", description="Train.")


def test_flags_become_typed_fields() -> None:
    config = parse("--task", "digits", "--lr", "0.5", "--epochs", "3", "--no-deep", "--data", "a/b")
    assert (config.lr, config.epochs, config.deep, config.data) == (0.5, 3, False, Path("a/b"))


def test_every_field_has_a_flag_and_the_common_ones_come_first() -> None:
    text = build_parser(TrainConfig, prog="dvpt-train", description="Train.").format_help()
    for name in TrainConfig.model_fields:
        assert f"--{name.replace('_', '-')}" in text
    assert text.index("what to train") < text.index("optimization") < text.index("publishing")


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        ((), "--task"),
        (("--task", "digits", "--lr", "fast"), "argument --lr"),
        (("--task", "digits", "--epochs", "0"), "argument --epochs"),
        (("--task", "digits", "--method", "magic"), "invalid choice"),
        (("--task", "digits", "--prompt", "3"), "unrecognized"),
        (("--task", "digits", "--eval-split", "val"), "must not be trained on"),
    ],
)
def test_usage_errors_exit_with_2_and_say_why(
    argv: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(*argv)
    assert caught.value.code == 2
    assert complaint in capsys.readouterr().err
