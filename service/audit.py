"""Where the service writes down each change that somebody asked for."""

import asyncio
import logging
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Any

from adapters.audit import AuditFile
from service.logs import log_event

logger = logging.getLogger("service.audit")
TIMEOUT_S = 5.0


class Audit:
    """Writes to the operator's file, on a thread; to the log where there is none, or it cannot be written.

    A change that is done stays done then: its line is in the log as an error.
    """

    def __init__(self, path: Path | None, threads: Executor) -> None:
        """Raises ConfigError where the file cannot be appended to."""
        self._file = None if path is None else AuditFile(path)
        self._threads = threads

    async def write(self, who: str, action: str, task: str | None, result: str, **facts: Any) -> None:
        """`who` is a key's id, `insecure` or `unknown`; `result` is `done` or the code of the error."""
        fields = {"who": who, "task": task or "*", "result": result, **facts}
        if self._file is None:
            log_event(logger, logging.INFO, action, **fields)
            return
        write = partial(self._file.write, who, action, task, result, **facts)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await asyncio.get_running_loop().run_in_executor(self._threads, write)
        except (OSError, TimeoutError) as error:
            log_event(logger, logging.ERROR, action, **fields, audit=str(error) or "timeout")
