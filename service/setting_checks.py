"""What settings are checked for beyond their types; each raises ValueError or answers a question."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_settings import BaseSettings

from adapters.store.files import Location


def _patterns(value: object) -> object:
    patterns = tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value
    if isinstance(patterns, tuple | list) and "" in patterns:
        raise ValueError("one of the patterns is empty")
    return patterns


Patterns = Annotated[tuple[str, ...], BeforeValidator(_patterns)]
"""Patterns of task names: in text with commas between, in TOML a list."""


def is_loopback(host: str) -> bool:
    """Whether an address is of this machine alone; of names localhost alone is taken for one."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_within(place: Location, store: Location) -> bool:
    """Whether a place is a store's or in it, as far as their names tell."""
    inner, outer = (_local(each).resolve() for each in (place, store))
    return inner == outer or outer in inner.parents


def _local(place: Location) -> Path:
    return Path(str(place).removeprefix("file://"))


def require_at_most(low: str, high: str, settings: BaseSettings, *, share: int = 1) -> None:
    """Raise ValueError where `low` is above one `share`-th of `high`."""
    if getattr(settings, low) * share > getattr(settings, high):
        most = high if share == 1 else f"1/{share} of {high}"
        raise ValueError(
            f"{low} ({getattr(settings, low)}) must not be above {most} ({getattr(settings, high)})"
        )
