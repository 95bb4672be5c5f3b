"""What is wrong with settings, in one line."""

from typing import Any

from pydantic import ValidationError

from adapters.command.streams import reason


def faults_in_one_line(error: Exception) -> str:
    """Every fault of settings that pydantic found, by the setting's name; or why they cannot be read."""
    if not isinstance(error, ValidationError):
        return f"cannot read the configuration: {reason(error)}"
    faults = error.errors(include_url=False)
    # A default that follows from other settings is left out where one of them is wrong: that one is told.
    own = [fault for fault in faults if fault["type"] != "default_factory_not_called"]
    return "; ".join(_one_fault(fault) for fault in own or faults)


def _one_fault(fault: Any) -> str:
    name = ".".join(map(str, fault["loc"])) or "settings"
    text = {"missing": "is needed", "extra_forbidden": "is no setting"}.get(fault["type"], fault["msg"])
    text = text.removeprefix("Value error, ")
    shown = "" if fault["type"] in ("missing", "value_error") else f" (given: {fault['input']!r})"
    return f"{name}: {text[:1].lower()}{text[1:]}{shown}"
