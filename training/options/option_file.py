"""Options in a TOML file: read under the command line, and written beside a result to repeat it."""

import difflib
import tomllib
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel

from adapters.command.streams import as_utf8, from_utf8
from training.errors import OptionsUnusable

SHOWN = 3


def read_options(model: type[BaseModel], path: Path) -> dict[str, Any]:
    """Field name → value of a TOML file whose keys are the flags' names, with dashes or underscores.

    Raises OptionsUnusable for a file that is no TOML, and for keys that are unknown or given twice.
    """
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except OSError as error:
        raise OptionsUnusable(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionsUnusable(f"{path} is no TOML: {error}") from error
    options: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in model.model_fields:
            raise OptionsUnusable(f"{path}: unknown option '{key}'{_suggestion(model, name)}")
        if name in options:
            raise OptionsUnusable(f"{path}: '{name}' is given twice, with a dash and with an underscore")
        if isinstance(value, str) and "\0" in value:
            raise OptionsUnusable(f"{path}: '{key}' holds a NUL, which no name or path does")
        options[name] = from_utf8(value) if isinstance(value, str) else value
    return options


def toml_of(options: BaseModel, *, leave_out: frozenset[str] = frozenset()) -> str:
    """TOML that `read_options` turns into the same options, under the headings of `--help`.

    TOML has no null, and an option left out is the default: None is left out.
    """
    dumped = options.model_dump(mode="json", exclude=set(leave_out), exclude_none=True)
    values = {name: as_utf8(value) if isinstance(value, str) else value for name, value in dumped.items()}
    groups: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        groups.setdefault(group_of(type(options), name), {})[name] = value
    return "\n".join(f"# {group}\n{tomli_w.dumps(part)}" for group, part in groups.items())


def group_of(model: type[BaseModel], name: str) -> str:
    """The heading a field stands under in `--help`."""
    extra = model.model_fields[name].json_schema_extra
    return str(extra["group"]) if isinstance(extra, dict) else "options"


def _suggestion(model: type[BaseModel], name: str) -> str:
    close = difflib.get_close_matches(name, model.model_fields, n=SHOWN)
    return f"; did you mean {' or '.join(close)}?" if close else ""
