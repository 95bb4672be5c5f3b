"""Defaults of settings that follow from the machine, the user or another setting."""

import os
import tempfile
from pathlib import Path
from typing import Any

from adapters.environment import cache_folder


def default_onnx_cache() -> Path:
    """`dvpt-serve/onnx` in the user's cache folder."""
    return cache_folder() / "dvpt-serve" / "onnx"


def default_uploads() -> Path:
    """`dvpt-uploads-<user id>` in the system's folder for temporary files."""
    return Path(tempfile.gettempdir()) / f"dvpt-uploads-{os.getuid()}"


def default_body_bytes(given: dict[str, Any]) -> int:
    """512 MB, and enough for each worker's largest request."""
    return max(512_000_000, 128_000_000 * int(given.get("workers", 1)))


def default_queued_pictures(given: dict[str, Any]) -> int:
    """1024, and enough for each worker's largest request."""
    return max(1024, 64 * int(given.get("workers", 1)))
