"""The audit trail: one line of JSON for each change somebody asked for, appended and never altered."""

import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from service.logs import log_event

logger = logging.getLogger("service.audit")


class Audit(Protocol):
    """Where a change is written down, by whom it was asked and how it ended."""

    def __call__(self, who: str, action: str, task: str | None, result: str, **facts: Any) -> None:
        """`who` is a key's id, `rule` or `insecure`; `result` is `done` or the code of the error."""


def log_audit(who: str, action: str, task: str | None, result: str, **facts: Any) -> None:
    """To the service's log, where no file was named."""
    log_event(logger, logging.INFO, action, who=who, task=task or "*", result=result, **facts)


def open_audit(path: Path | None) -> Audit:
    """The audit trail in that file, or in the log. Raises OSError where it cannot be appended to."""
    return log_audit if path is None else AuditFile(path)


class AuditFile:
    """To a file that several processes may append to; a line is one write, and on the disk on return."""

    def __init__(self, path: Path) -> None:
        """Raises OSError where the file cannot be appended to."""
        self._path = path
        os.close(self._open())

    def __call__(self, who: str, action: str, task: str | None, result: str, **facts: Any) -> None:
        """Append one line. Raises OSError; what changed is then also told to the log."""
        when = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"when": when, "who": who, "action": action, "task": task, "result": result, **facts}
        descriptor = self._open()
        try:
            os.write(descriptor, json.dumps(line, ensure_ascii=True).encode() + b"\n")
            os.fsync(descriptor)
        except OSError:
            log_audit(who, action, task, result, **facts)
            raise
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
