"""The batcher of an earlier revision, to be measured beside today's in one run."""

import subprocess
import sys
from types import ModuleType
from typing import Any

from service.batching.batcher import Batcher

PARTS = ("turns", "batch_times", "admission", "queued_request", "fair_queue", "batcher")
"""Modules of the batcher, each importing from those before it; a revision may lack some."""
PACKAGES = ("service.batching", "service")
"""Where they were, latest first."""


def batcher_at(revision: str) -> type[Batcher[Any, Any]]:
    """Its class at a revision of this repository. Raises ValueError if there is none."""
    loaded: dict[str, ModuleType] = {}
    for part in PARTS:
        source = _source(revision, part)
        if source is not None:
            loaded[part] = _load(f"_{part}_at_revision", _redirected(source, loaded))
    if "batcher" not in loaded:
        raise ValueError(f"revision {revision!r} has no batcher; expected one of this repository")
    found: type[Batcher[Any, Any]] = loaded["batcher"].Batcher
    return found


def _source(revision: str, part: str) -> str | None:
    for package in PACKAGES:
        command = ["git", "show", f"{revision}:{package.replace('.', '/')}/{part}.py"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout
    return None


def _redirected(source: str, loaded: dict[str, ModuleType]) -> str:
    for part, module in loaded.items():
        for package in PACKAGES:
            source = source.replace(f"from {package}.{part} import", f"from {module.__name__} import")
    return source


def _load(name: str, source: str) -> ModuleType:
    module = sys.modules[name] = ModuleType(name)
    exec(compile(source, f"<{name}>", "exec"), module.__dict__)
    return module
