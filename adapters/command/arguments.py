"""Arguments that several commands of `dvpt-adapters` take, and numbers as they are typed."""

from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path


def add_version(parser: ArgumentParser, default: str) -> None:
    """`--version` or `--label`; the default in words."""
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--version", type=positive, metavar="N", help=f"default: {default}")
    choice.add_argument("--label", help="the version that a label names")


def add_replacing(parser: ArgumentParser) -> None:
    """`--replace-classes`."""
    parser.add_argument(
        "--replace-classes", action="store_true", help="move the label to another list of classes, too"
    )


def add_weights(parser: ArgumentParser) -> None:
    """`--weights`."""
    parser.add_argument("--weights", type=Path, metavar="FILE", help="the backbone's weights (.safetensors)")


def positive(text: str) -> int:
    """A whole number from 1."""
    if (number := count(text)) < 1:
        raise ArgumentTypeError("must be at least 1")
    return number


def count(text: str) -> int:
    """A whole number from 0."""
    if not (text.isascii() and text.isdigit()):
        raise ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def part(text: str) -> float:
    """A number from 0 to 1."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return number
