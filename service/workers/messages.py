"""What supervisor and worker tell each other, one JSON document a line, over a pair of sockets."""

import json
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from service.settings import Settings

PIECE_BYTES = 65_536


class Message(BaseModel):
    """One line. Both sides are of one release, so an unknown key is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Assignment(Message):
    """The first line to a worker: which of them it is, and what it serves where.

    `listener` is the number of the descriptor that all of them listen on. A worker that `replaces` another
    listens once it is ready: the others answer meanwhile.
    """

    worker: int
    listener: int
    folder: Path
    replaces: bool
    settings: dict[str, Any]

    def whole_settings(self) -> Settings:
        """The settings of the whole service."""
        return Settings.model_validate(self.settings)


class Group(Message):
    """To every worker, on each change: how many are ready, and the processes by worker.

    `complete` says whether all of them have been ready at once, be it for a moment.
    """

    ready: int
    all: int
    complete: bool
    processes: dict[int, int]


class Report(Message):
    """From a worker: that it is ready, what keeps it from that, or, with neither, that it lives."""

    ready: bool = False
    fault: str = ""
    code: int = 0


class Line:
    """The supervisor's end of one pair of sockets."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self.end = end
        self._rest = b""

    def send(self, message: Message) -> None:
        """Send without waiting; to whom hangs or is gone, nothing."""
        with suppress(OSError):
            self.end.send(encode(message))

    def receive(self) -> list[Report] | None:
        """What has come since; None at the end, when the worker is gone."""
        try:
            piece = self.end.recv(PIECE_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            return None
        *lines, self._rest = (self._rest + piece).split(b"\n")
        return [Report.model_validate_json(line) for line in lines] if piece else None


def encode(message: Message) -> bytes:
    """One line."""
    return message.model_dump_json().encode() + b"\n"


def read_assignment(end: socket.socket) -> Assignment | None:
    """The first line, waited for; None if the supervisor is gone."""
    line = b""
    while not line.endswith(b"\n"):  # what follows comes after an answer to this
        piece = end.recv(1)
        if not piece:
            return None
        line += piece
    return Assignment.model_validate(json.loads(line))
