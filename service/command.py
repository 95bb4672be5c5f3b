"""The command `dvpt-serve`: settings in, a serving process, or one line that says why not."""

import argparse
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from adapters.command.streams import complain
from adapters.errors import ConfigError, DvptError
from adapters.store.files import Location
from service.errors import WorkersFailed
from service.faults import faults_in_one_line
from service.logs import configure_logging, log_event
from service.settings import Settings, settings_from
from service.shutdown import exit_now
from service.variables import ENV_PREFIX, discovered, unknown

logger = logging.getLogger("service")
PROGRAM = "dvpt-serve"
BAD_SETTINGS, BAD_STORE = 2, 1
METAVARS: dict[object, str] = {
    int: "N",
    float: "SECONDS",
    Location: "DIR",
    Location | None: "DIR",
    Path: "DIR",
    Path | None: "FILE",
    str | None: "NAME",
    tuple[str, ...]: "PATTERNS",
}


def run(arguments: Sequence[str] | None = None) -> int:
    """Serve until the process ends; 1 for a store or device that fails, 2 for bad settings."""
    flags = vars(build_parser().parse_args(arguments))
    try:
        settings = settings_from(flags, flags.pop("config", None))
    except (ValidationError, OSError, ValueError) as error:
        return complain(PROGRAM, faults_in_one_line(error), BAD_SETTINGS)
    configure_logging(settings.log_level)
    log_event(logger, logging.INFO, "settings", **settings.model_dump())
    _report_variables()
    try:
        exit_now(_serve(settings) if settings.workers == 1 else _supervise(settings))
    except ConfigError as error:
        return complain(PROGRAM, error, BAD_SETTINGS)
    except WorkersFailed as error:
        return complain(PROGRAM, error, error.code)
    except (DvptError, OSError) as error:
        return complain(PROGRAM, error, BAD_STORE)


def build_parser() -> argparse.ArgumentParser:
    """One flag for each setting, and `--config`."""
    # By hand, as pydantic_settings' CliSettingsSource (2.16) takes `--store null` for no store, and its help
    # shows factories by name and None as null; its hooks would have to write metavar and help of each again.
    parser = argparse.ArgumentParser(
        prog="dvpt-serve",
        description="Serve all the adapters of a store over HTTP, from one backbone.",
        epilog=f"Each setting can also be an environment variable ({ENV_PREFIX}PORT for --port) or a line in "
        "the --config file (port = 8000). Flags win over variables, variables over the file.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file with settings")
    for name, field in Settings.model_fields.items():
        _add_flag(parser, name, field)
    return parser


def _add_flag(parser: argparse.ArgumentParser, name: str, field: FieldInfo) -> None:
    flag = f"--{name.replace('_', '-')}"
    text = (field.description or "").replace("%", "%%")
    if field.annotation is bool:
        parser.add_argument(flag, action=argparse.BooleanOptionalAction, help=text)
        return
    default = field.get_default(call_default_factory=True, validated_data={})
    shown = "" if field.is_required() or default in (None, "", ()) else f" (default: {default})"
    parser.add_argument(flag, metavar=METAVARS.get(field.annotation, name.upper()), help=text + shown)


def _serve(settings: Settings) -> int:
    # torch and the web framework take seconds to import: not before the settings are known to be good.
    from service.app import create_service  # noqa: PLC0415
    from service.served_store import open_served_store  # noqa: PLC0415
    from service.server import serve  # noqa: PLC0415

    return serve(create_service(settings, open_served_store(settings)), settings)


def _supervise(settings: Settings) -> int:
    from service.workers.supervise import supervise  # noqa: PLC0415

    return supervise(settings)


def _report_variables() -> None:
    for name in unknown(Settings.model_fields, os.environ):
        log_event(logger, logging.WARNING, "unknown_variable", name=name)
    if names := discovered(os.environ):
        why = "an orchestrator set them to tell of a service of that name"
        log_event(logger, logging.INFO, "variables_ignored", names=", ".join(names), reason=why)
