"""File names as text: what they are in UTF-8, in any locale."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import PlainSerializer


def text_of(name: str | Path) -> str:
    """A file's name or path as UTF-8 has it; each byte that is none is written as an escape of its number."""
    return os.fsencode(name).decode(errors="backslashreplace")


# JSON has no place for the bytes of a name that is no text.
TextualPath = Annotated[Path, PlainSerializer(text_of, return_type=str, when_used="json")]
