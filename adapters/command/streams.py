"""Standard streams of the command lines, however the process was started: closed, or in a strict locale."""

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import TextIO


def open_streams() -> None:
    """Let what is printed always be written somewhere.

    A descriptor that was closed leads nowhere; else the next file that is opened would take its number and
    whatever is printed. What a terminal cannot show is written as an escape.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, this one
    sys.stdout = _usable(sys.stdout, 1)
    sys.stderr = _usable(sys.stderr, 2)


def printable(text: str) -> str:
    """One line of text: what a terminal would take for a command, or a line's end, is replaced."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def as_utf8(text: str) -> str:
    """Text of the command line or of the file system as UTF-8 has it, whatever the locale.

    Bytes that are no UTF-8 are written as escapes, so that the text can be written anywhere.
    """
    return text.encode(errors="surrogateescape").decode(errors="backslashreplace")


def from_utf8(text: str) -> str:
    """A path that `as_utf8` made, as the system's calls take it in this locale."""
    return os.fsdecode(text.encode())


def complain(program: str, error: Exception | str, code: int = 1) -> int:
    """Say in one line what is wrong; returns the exit code."""
    with suppress(OSError):  # nobody reads it
        sys.stderr.write(printable(f"{program}: {reason(error)}") + "\n")
    return code


def closed(code: int) -> int:
    """The exit code, once what was printed is out; 1 where it cannot be written."""
    try:
        sys.stdout.flush()
    except OSError:
        # The reader has seen enough, or the disk is full; the interpreter would try again, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code or 1
    return code


def reason(error: Exception | str) -> str:
    """What is wrong; of the system's errors the file and what it has, without its number."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__


def _usable(stream: TextIO | None, number: int) -> TextIO:
    if stream is None:
        stream = os.fdopen(number, "w", encoding="utf-8", closefd=False)
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream
