"""Text files that tell of pictures, as editors and spreadsheets save them."""

import codecs
import io
import os
from collections.abc import Iterator
from pathlib import Path

from training.errors import DataUnusable
from training.path_text import text_of


def read_text(file: Path) -> str:
    """UTF-16 with its mark, or UTF-8; raises DataUnusable for what begins as UTF-16 and is none."""
    data = file.read_bytes()
    if not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        # Names in other bytes than UTF-8 keep them, so that their files are found.
        return data.decode("utf-8-sig", errors="surrogateescape")
    try:
        return data.decode("utf-16")
    except UnicodeDecodeError as error:
        raise DataUnusable(f"{text_of(file)} begins as UTF-16 and is none: {error.reason}") from error


def file_name(text: str) -> str:
    """What the text names as the operating system takes it, in any locale."""
    return os.fsdecode(text.encode("utf-8", errors="surrogateescape"))


def numbered_lines(file: Path) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, by their numbers; names may hold U+0085 or U+2028, which end no line here."""
    for number, line in enumerate(io.StringIO(read_text(file), newline=None), start=1):
        if line.strip():
            yield number, line.strip()
