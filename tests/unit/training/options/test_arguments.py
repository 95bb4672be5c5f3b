from pathlib import Path

import pytest

from training.options.arguments import build_parser, parse_arguments
from training.options.train_config import TrainConfig


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
        (("--task", "digits", "--epochs", "0"), "epochs must be at least 1"),
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


def test_a_file_gives_options_and_the_command_line_wins(tmp_path: Path) -> None:
    path = tmp_path / "options.toml"
    path.write_text('task = "digits"\nlr = 0.5\nepochs = 7\ndeep = false\n')
    config = parse("--lr", "0.25", "--config", str(path), "--deep")
    assert (config.task, config.lr, config.epochs, config.deep) == ("digits", 0.25, 7, True)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('task = "digits"\nlr = -1', "options.toml: lr: Input should be greater than 0"),
        (
            'task = "digits"\nmethod = "magic"',
            "options.toml: method: no method 'magic'; there are dvpt, vpt",
        ),
        ("lr = 0.5", "--task"),
        ("learning-rate = 0.5", "unknown option 'learning-rate'"),
        ("lr", "is no TOML"),
    ],
)
def test_a_fault_in_the_file_is_a_usage_error_that_names_it(
    tmp_path: Path, text: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "options.toml"
    path.write_text(text)
    with pytest.raises(SystemExit) as caught:
        parse(f"--config={path}")
    assert caught.value.code == 2
    assert complaint in capsys.readouterr().err


def test_few_options_come_first() -> None:
    parser = build_parser(TrainConfig, prog="dvpt-train", description="Train.")
    first = next(group for group in parser._action_groups if group.title == "what to train")
    assert len(first._group_actions) <= 12
    text = parser.format_help()
    assert text.startswith("usage: dvpt-train --task NAME [options]\n")
    assert text.index("--config") < text.index("--prompt-count")
