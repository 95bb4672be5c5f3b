"""The batcher of an earlier revision, to be measured beside today's in one run."""

import subprocess
import sys
from types import ModuleType
from typing import Any

from service.batcher import Batcher

PARTS = ("turns", "batch_times", "fair_queue", "batcher")
"""Modules of `service`, each importing from those before it; a revision may lack some."""


def batcher_at(revision: str) -> type[Batcher[Any, Any]]:
    """Its class at a revision of this repository. Raises ValueError if there is none."""
    loaded: dict[str, ModuleType] = {}
    for part in PARTS:
        source = _source(revision, part)
        if source is not None:
            loaded[part] = _load(f"_{part}_at_revision", _redirected(source, loaded))
    if "batcher" not in loaded:
        raise ValueError(f"revision {revision!r} has no service/batcher.py; expected one of this repository")
    found: type[Batcher[Any, Any]] = loaded["batcher"].Batcher
    return found


def _source(revision: str, part: str) -> str | None:
    command = ["git", "show", f"{revision}:service/{part}.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def _redirected(source: str, loaded: dict[str, ModuleType]) -> str:
    for part, module in loaded.items():
        source = source.replace(f"from service.{part} import", f"from {module.__name__} import")
    return source


def _load(name: str, source: str) -> ModuleType:
    module = sys.modules[name] = ModuleType(name)
    exec(compile(source, f"<{name}>", "exec"), module.__dict__)
    return module
