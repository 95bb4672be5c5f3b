"""Exported graphs on disk, so that a restart does not export again."""

import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import TypeVar

from adapters.errors import ConfigError
from adapters.vit.backbone import Backbone
from adapters.vit.onnx import ENGINE_OPSET
from service.logs import log_event

logger = logging.getLogger("service.engine")
Opened = TypeVar("Opened")
REVISION = 2  # of the graphs that adapters.vit.onnx writes
MODEL_FILE = "model.onnx"
WRITING = ".writing-"
LEFTOVER_S = 3600.0  # far longer than any export
EXPORTERS = ("torch", "timm", "onnx", "onnxscript")

Write = Callable[[Backbone, Path], None]


@dataclass(frozen=True)
class GraphCache:
    """A folder for each graph of a backbone, precision and exporter's version; made whole or not at all."""

    root: Path

    def folder(self, name: str, backbone: Backbone) -> Path:
        """Where the graph `name` of a backbone in its present precision belongs."""
        made_by = {package: version(package) for package in EXPORTERS}
        config = backbone.config.model_dump(mode="json")
        facts = [config, str(backbone.dtype), ENGINE_OPSET, REVISION, made_by]
        key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
        return self.root / f"{backbone.config.name}-{name}-{key}"

    def open(self, name: str, backbone: Backbone, write: Write, session: Callable[[Path], Opened]) -> Opened:
        """Make a session of a graph, exporting it where there is none or none that loads.

        Raises ConfigError, and what `session` raises of a graph just made.
        """
        path = self.find(name, backbone)
        if path is not None:
            try:
                return session(path)
            except ConfigError:
                raise
            except Exception as error:  # ONNX Runtime's errors share no base class
                log_event(logger, logging.WARNING, "graph_damaged", path=path, error=error)
                self.drop(name, backbone)
        began_s = monotonic()
        path = self.make(name, backbone, write)
        log_event(logger, logging.INFO, "graph_exported", path=path, export_ms=1000 * (monotonic() - began_s))
        return session(path)

    def prepare(self, name: str, backbone: Backbone, write: Write) -> None:
        """Export a graph where there is none, for who may open it later. Raises ConfigError."""
        if self.find(name, backbone) is None:
            self.make(name, backbone, write)

    def find(self, name: str, backbone: Backbone) -> Path | None:
        """The graph's file, if it is there."""
        path = self.folder(name, backbone) / MODEL_FILE
        return path if os.path.isfile(path) else None  # noqa: PTH113 - Path's own raises for a name too long

    def make(self, name: str, backbone: Backbone, write: Write) -> Path:
        """Export a graph and move it into place at once. Raises ConfigError where it cannot be written."""
        folder = self.folder(name, backbone)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self._clear_leftovers()
            with tempfile.TemporaryDirectory(dir=self.root, prefix=WRITING) as temporary:
                made = Path(temporary, "made")
                made.mkdir()
                write(backbone, made / MODEL_FILE)
                _move(made, folder)
        except OSError as error:
            raise ConfigError(
                f"cannot keep exported graphs in {self.root} ({error}); "
                "choose another folder with --onnx-cache"
            ) from error
        return folder / MODEL_FILE

    def _clear_leftovers(self) -> None:
        """Remove what exports left behind whose process ended on the way."""
        for folder in self.root.glob(f"{WRITING}*"):
            with suppress(FileNotFoundError):
                if time.time() - folder.stat().st_mtime > LEFTOVER_S:
                    shutil.rmtree(folder, ignore_errors=True)

    def drop(self, name: str, backbone: Backbone) -> None:
        """Remove a graph that does not load."""
        shutil.rmtree(self.folder(name, backbone), ignore_errors=True)


def _move(made: Path, folder: Path) -> None:
    try:
        made.rename(folder)
    except OSError:
        if not (folder / MODEL_FILE).is_file():  # another process was first, with the same graph
            raise
