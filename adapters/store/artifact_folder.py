"""An adapter outside a store: one directory in the artifact format, for carrying it to another store."""

from pathlib import Path

from adapters.config import BackboneConfig
from adapters.errors import ArtifactDamaged, StoreConflict
from adapters.store.artifact import (
    CARD_FILE,
    CONFIG_FILE,
    TENSORS_FILE,
    Artifact,
    decode_artifact,
    encode_artifact,
)
from adapters.store.files import open_files


def write_artifact(artifact: Artifact, directory: Path, backbone: BackboneConfig) -> None:
    """Write the artifact's files, the configuration last. Raises StoreConflict where something is already."""
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise StoreConflict(f"{directory} is there already and not an empty directory")
    files = open_files(directory)
    for name, data in encode_artifact(artifact, backbone).items():
        files.put(name, data)


def read_artifact(directory: Path, backbone: BackboneConfig) -> Artifact:
    """Read a directory that `write_artifact` or a store wrote, with every check.

    Raises ArtifactDamaged, ArtifactFormat or BackboneMismatch; files of other names are left unread.
    """
    if not directory.is_dir():
        raise ArtifactDamaged(f"there is no directory {directory}")
    files = open_files(directory)
    own = [
        name for name in files.files("") if name in (CONFIG_FILE, TENSORS_FILE) or CARD_FILE.fullmatch(name)
    ]
    return decode_artifact({name: files.read(name) for name in own}, backbone)
