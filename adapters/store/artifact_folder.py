"""An adapter outside a store: one directory in the artifact format, for carrying it to another store."""

from collections.abc import Mapping
from pathlib import Path

from adapters.errors import ArtifactDamaged, StoreConflict
from adapters.store.artifact import CARD_FILE, CONFIG_FILE, TENSORS_FILE
from adapters.store.files import open_files
from adapters.store.signature import SIGNATURE_FILE


def is_artifact_file(name: str) -> bool:
    """Whether a version has files of that name which its publisher writes."""
    return name in (CONFIG_FILE, TENSORS_FILE, SIGNATURE_FILE) or bool(CARD_FILE.fullmatch(name))


def write_files(given: Mapping[str, bytes], directory: Path) -> None:
    """Write files in the order given. Raises StoreConflict where something is already."""
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise StoreConflict(f"{directory} is there already and not an empty directory")
    files = open_files(directory)
    for name, data in given.items():
        files.put(name, data)


def read_folder(directory: Path) -> dict[str, bytes]:
    """An artifact's files from a directory that `write_files` or a store wrote; others are left unread.

    Raises ArtifactDamaged.
    """
    if not directory.is_dir():
        raise ArtifactDamaged(f"there is no directory {directory}")
    files = open_files(directory)
    return {name: files.read(name) for name in files.files("") if is_artifact_file(name)}


def in_order(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """An artifact's files, the configuration last: with it a version exists."""
    names = [name for name in files if is_artifact_file(name) and name != CONFIG_FILE]
    return {name: files[name] for name in (*names, CONFIG_FILE)}
