"""Environment variables as shells, compose files and orchestrators really set them."""

import os
from collections.abc import Mapping
from pathlib import Path


def variable(name: str, environ: Mapping[str, str] | None = None) -> str | None:
    """A variable without white space around it, such as a secret file's last line end; None if empty."""
    text = (os.environ if environ is None else environ).get(name, "").strip()
    return text or None


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME`, or `.cache` in the user's home."""
    home = os.path.expanduser("~/.cache")  # noqa: PTH111 - a user without a home is no error
    return Path(variable("XDG_CACHE_HOME") or home)
