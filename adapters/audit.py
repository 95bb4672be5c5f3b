"""The audit trail: one line of JSON for each change somebody asked for, appended and never altered."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.errors import ConfigError

OWNER_AND_GROUP = 0o640
DONE = "done"


class AuditFile:
    """A file that several processes may append to; a line is one write, and on the disk on return.

    It is opened for each line, so that it may be moved away at any time.
    """

    def __init__(self, path: Path) -> None:
        """Raises ConfigError where the file cannot be appended to."""
        self.path = path
        try:
            os.close(self._open())
        except OSError as error:
            raise ConfigError(f"the audit file {path} cannot be written: {error.strerror}") from error

    def write(self, who: str, action: str, task: str | None, result: str, **facts: Any) -> None:
        """Append one line: `result` is `done` or the code of an error. Raises OSError."""
        when = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"when": when, "who": who, "action": action, "task": task, "result": result, **facts}
        data = json.dumps(line, ensure_ascii=True, default=str).encode() + b"\n"
        descriptor = self._open()
        try:
            if os.write(descriptor, data) < len(data):
                raise OSError(f"{self.path} took a part of a line")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, OWNER_AND_GROUP)
