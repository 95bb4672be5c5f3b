"""File names as text: what they are in UTF-8, in any locale."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import PlainSerializer

from adapters.command.streams import as_utf8


def text_of(name: str | Path) -> str:
    """A file's name or path as UTF-8 has it; each byte that is none is written as an escape of its number."""
    return as_utf8(os.fspath(name))


# JSON has no place for the bytes of a name that is no text.
TextualPath = Annotated[Path, PlainSerializer(text_of, return_type=str, when_used="json")]
