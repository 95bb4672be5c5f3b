"""The command line of a frozen pydantic model: a flag for each field, grouped as the fields are."""

import argparse
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

Model = TypeVar("Model", bound=BaseModel)
METAVARS = {int: "N", float: "X", Path: "PATH", str: "NAME"}


def parse_arguments(model: type[Model], argv: Sequence[str], *, prog: str, description: str) -> Model:
    """Read `argv` into the model. A usage error prints one line and exits with 2."""
    parser = build_parser(model, prog=prog, description=description)
    given = vars(parser.parse_args(argv))
    try:
        return model(**given)
    except ValidationError as error:
        parser.error("; ".join(_complaint(fault) for fault in error.errors()))


def build_parser(model: type[BaseModel], *, prog: str, description: str) -> argparse.ArgumentParser:
    """A parser with one flag for each field; pydantic, not argparse, checks the values."""
    parser = argparse.ArgumentParser(prog=prog, description=description, allow_abbrev=False)
    groups: dict[str, argparse._ArgumentGroup] = {}
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra
        title = str(extra["group"]) if isinstance(extra, dict) else "options"
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        _add_flag(groups[title], name, field)
    return parser


def _add_flag(group: argparse._ArgumentGroup, name: str, field: FieldInfo) -> None:
    kind = _bare_type(field.annotation)
    options: dict[str, Any] = {"default": argparse.SUPPRESS, "required": field.is_required()}
    if kind is bool:
        options["action"] = argparse.BooleanOptionalAction
    elif typing.get_origin(kind) is Literal:
        options["choices"] = typing.get_args(kind)
    else:
        options["metavar"] = METAVARS.get(kind, "VALUE")
    group.add_argument(f"--{name.replace('_', '-')}", dest=name, help=_help(field), **options)


def _help(field: FieldInfo) -> str:
    text = (field.description or "").replace("%", "%%")
    if field.is_required() or field.default is None:
        return text
    return f"{text} (default: {_shown(field.default)})"


def _shown(value: Any) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _bare_type(annotation: Any) -> Any:
    """`X | None` → X."""
    if isinstance(annotation, types.UnionType):
        return next(kind for kind in typing.get_args(annotation) if kind is not type(None))
    return annotation


def _complaint(fault: Any) -> str:
    """One of pydantic's complaints, in the words of the command line."""
    message = str(fault["msg"]).removeprefix("Value error, ")
    where = ".".join(str(part) for part in fault["loc"])
    return f"argument --{where.replace('_', '-')}: {message}" if where else message
