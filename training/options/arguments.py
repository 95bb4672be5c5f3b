"""The command line of a frozen pydantic model: a flag for each field, grouped as the fields are."""

import argparse
import types
import typing
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from training.errors import OptionsUnusable
from training.options.option_file import group_of, read_options

Model = TypeVar("Model", bound=BaseModel)
METAVARS = {int: "N", float: "X", Path: "PATH", str: "NAME"}
CONFIG_FLAG = "--config"
CONFIG_HELP = "TOML file with any of these options by name{}; what stands on the command line wins"
NO_RECIPES: Mapping[str, Path] = types.MappingProxyType({})


def parse_arguments(
    model: type[Model],
    argv: Sequence[str],
    *,
    prog: str,
    description: str,
    recipes: Mapping[str, Path] = NO_RECIPES,
) -> Model:
    """Read `argv`, and the file or recipe it may name, into the model.

    `recipes` are files that can be named without a path. A usage error exits with 2 and one line.
    """
    try:
        path = _config_file(argv, prog, recipes)
        filed = read_options(model, path) if path else {}
    except OptionsUnusable as error:
        build_parser(model, prog=prog, description=description).error(str(error))
    parser = build_parser(model, prog=prog, description=description, filed=filed, recipes=recipes)
    given = {name: value for name, value in vars(parser.parse_args(argv)).items() if name != "config"}
    try:
        return model(**(filed | given))
    except ValidationError as error:
        places = {name: f"{path}: {name}" for name in filed.keys() - given.keys()}
        parser.error("; ".join(_complaint(fault, places) for fault in error.errors()))


def build_parser(
    model: type[BaseModel],
    *,
    prog: str,
    description: str,
    filed: Collection[str] = (),
    recipes: Collection[str] = (),
) -> argparse.ArgumentParser:
    """A parser with one flag for each field; pydantic, not argparse, checks the values.

    Fields that are `filed` already are not required; `recipes` are the names that `--config` knows.
    """
    needed = [
        f"{_flag(name)} {METAVARS.get(_bare_type(field.annotation), 'VALUE')}"
        for name, field in model.model_fields.items()
        if field.is_required()
    ]
    usage = " ".join([prog, *needed, "[options]"])  # all of them would fill a page
    parser = argparse.ArgumentParser(prog=prog, usage=usage, description=description, allow_abbrev=False)
    groups: dict[str, argparse._ArgumentGroup] = {}
    for name, field in model.model_fields.items():
        title = group_of(model, name)
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        _add_flag(groups[title], name, field, required=field.is_required() and name not in filed)
    known = f", or a recipe: {', '.join(recipes)}" if recipes else ""
    next(iter(groups.values())).add_argument(
        CONFIG_FLAG, metavar="FILE", default=argparse.SUPPRESS, help=CONFIG_HELP.format(known)
    )
    return parser


def _config_file(argv: Sequence[str], prog: str, recipes: Mapping[str, Path]) -> Path | None:
    """The file or recipe `--config` names, found before the other flags can be judged.

    Raises OptionsUnusable for a plain word that is neither.
    """
    parser = argparse.ArgumentParser(prog=prog, add_help=False, allow_abbrev=False)
    parser.add_argument(CONFIG_FLAG)
    named: str | None = parser.parse_known_args(argv)[0].config
    if named is None:
        return None
    path = recipes.get(named, Path(named))
    if recipes and path.parent == Path() and not path.suffix and not path.exists():
        raise OptionsUnusable(
            f"there is no recipe '{named}', and no file; the recipes are {', '.join(recipes)}"
        )
    return path


def _add_flag(group: argparse._ArgumentGroup, name: str, field: FieldInfo, *, required: bool) -> None:
    kind = _bare_type(field.annotation)
    options: dict[str, Any] = {"default": argparse.SUPPRESS, "required": required}
    if kind is bool:
        options["action"] = argparse.BooleanOptionalAction
    elif choices := _choices(field):
        options["choices"] = choices
    else:
        options["metavar"] = METAVARS.get(kind, "VALUE")
    group.add_argument(_flag(name), dest=name, help=_help(field), **options)


def _choices(field: FieldInfo) -> tuple[str, ...]:
    """What the type allows, or a table that the field was given."""
    kind, extra = _bare_type(field.annotation), field.json_schema_extra
    if typing.get_origin(kind) is Literal:
        return typing.get_args(kind)
    offered = extra.get("choices") if isinstance(extra, dict) else None
    return tuple(map(str, offered)) if isinstance(offered, list) else ()


def _help(field: FieldInfo) -> str:
    text = (field.description or "").replace("%", "%%")
    if field.is_required() or field.default is None:
        return text
    return f"{text} (default: {_shown(field.default)})"


def _shown(value: Any) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _bare_type(annotation: Any) -> Any:
    """`X | None` → X, also where X is annotated."""
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        annotation = next(kind for kind in typing.get_args(annotation) if kind is not type(None))
    return annotation.__origin__ if typing.get_origin(annotation) is Annotated else annotation


def _complaint(fault: Any, places: Mapping[str, str]) -> str:
    """One of pydantic's complaints, in the words of the command line or of the file it is about."""
    message = str(fault["msg"]).removeprefix("Value error, ")
    if not fault["loc"]:
        return message
    name = str(fault["loc"][0])
    return f"{places.get(name, f'argument {_flag(name)}')}: {message}"


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
