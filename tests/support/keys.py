"""Keys for tests, with the text that opens them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from service.access.key_file import KeyFile
from service.access.key_record import KeyList, KeyRecord
from service.access.secret import KeyText, hashed, new_key_text

CREATED = datetime(2026, 11, 26, tzinfo=UTC)


def new_key(**options: Any) -> tuple[KeyText, KeyRecord]:
    """A key and its record; it may classify unless `scopes` says otherwise."""
    text = new_key_text()
    salt, digest = hashed(text.secret)
    usual = {"name": "acme", "scopes": ["classify"], "created": CREATED}
    values = usual | options | {"id": text.id, "salt": salt, "scrypt": digest}
    return text, KeyRecord.model_validate(values)


def key_file(folder: Path, *records: KeyRecord) -> KeyFile:
    """A file with those keys."""
    file = KeyFile(folder / "keys.json")
    file.change(lambda _: KeyList(keys=records))
    return file
