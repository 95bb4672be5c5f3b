"""Logging to stderr: one line per event, `time level logger event key=value …`."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.,:/+@%")


class LineFormatter(logging.Formatter):
    """Writes a record on one line; whatever could break a line or a field is quoted as JSON.

    Every line of a process that is one of several ends in its number, `worker`.
    """

    def __init__(self, worker: int | None = None) -> None:
        super().__init__()
        self._worker = worker

    def format(self, record: logging.LogRecord) -> str:
        """One line of text."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        parts = [moment.replace("+00:00", "Z"), record.levelname, record.name]
        fields = getattr(record, "fields", None)
        message = record.getMessage()
        parts.append(message if fields is not None else json.dumps(message, ensure_ascii=False))
        parts += [f"{key}={_quoted(value)}" for key, value in (fields or {}).items()]
        if record.exc_info:
            parts.append(f"traceback={json.dumps(self.formatException(record.exc_info))}")
        if self._worker is not None:
            parts.append(f"worker={self._worker}")
        return " ".join(parts)


def log_event(logger: logging.Logger, level: int, event: str, **fields: Any) -> None:
    """Log one event with its fields."""
    if logger.isEnabledFor(level):
        logger.log(level, event, extra={"fields": fields})


def configure_logging(level: str = "info", worker: int | None = None) -> None:
    """Send every logger's lines to stderr in this format; `level` is that of the service's own."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(worker))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("service").setLevel(level.upper())
    logging.getLogger("onnx_ir").setLevel(logging.WARNING)  # an export is hundreds of lines to it


def _quoted(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    return text if text and set(text) <= PLAIN else json.dumps(text, ensure_ascii=False)
