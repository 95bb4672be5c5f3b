"""The tree of domain errors. None of them knows an HTTP status; the service maps them in one table.

DvptError
├── ConfigError            an option or a setting that cannot be used
├── InvalidName            a task or label name that is not allowed
├── BackboneError          the backbone cannot be built
│   ├── UnsupportedBackbone   not a plain timm ViT
│   └── BackboneWeights       weights missing, unreadable or of another architecture
├── BackboneMismatch       an adapter made for another backbone
├── ArtifactError          an adapter on disk cannot be used
│   ├── ArtifactDamaged       truncated, flipped, missing or wrong tensors, NaN
│   ├── ArtifactFormat        a newer format or unknown keys
│   ├── ArtifactUnsigned      no signature, or none that is trusted
│   └── ArtifactTooLarge      more bytes than an adapter may have here
├── StoreError             the store cannot do what was asked
│   ├── StoreNotFound         there is no store there
│   ├── TaskNotFound
│   ├── VersionNotFound
│   ├── LabelNotFound
│   ├── StoreReadOnly         nothing can be written there
│   ├── ClassNotFound         a name that is none of a version's classes
│   └── StoreConflict         the state of the store forbids it
│       ├── ClassesDiffer        a label would move to another list of classes
│       └── LabelMoved           a label is not what it was thought to be
├── PictureError           bytes that are no usable picture
│   ├── PictureFormat         a format that is not read
│   ├── PictureTooLarge       more bytes, pixels or work than allowed
│   └── PictureDamaged        not decodable
├── ExportFailed           an exported model does not answer as its adapter
└── BankFull               no free slot
"""


class DvptError(Exception):
    """Root of every error this project raises on purpose."""


class ConfigError(DvptError):
    """An option or a setting that cannot be used."""


class InvalidName(DvptError):
    """A task or label name that is not allowed."""


class BackboneError(DvptError):
    """The backbone cannot be built."""


class UnsupportedBackbone(BackboneError):
    """The name is not a plain timm Vision Transformer."""


class BackboneWeights(BackboneError):
    """The weights are missing, unreadable or belong to another architecture."""


class BackboneMismatch(DvptError):
    """The adapter was made for another backbone."""


class ArtifactError(DvptError):
    """An adapter on disk cannot be used."""


class ArtifactDamaged(ArtifactError):
    """The tensors are truncated, changed, missing, misshapen or not finite."""


class ArtifactFormat(ArtifactError):
    """The configuration is of a newer format or has unknown or impossible values."""


class ArtifactUnsigned(ArtifactError):
    """There is no signature by a trusted key where only signed adapters are used."""


class ArtifactTooLarge(ArtifactError):
    """An upload or an archive has more bytes than an adapter may have here."""


class StoreError(DvptError):
    """The store cannot do what was asked."""


class StoreNotFound(StoreError):
    """There is no store at that place."""


class TaskNotFound(StoreError):
    """The store has no such task."""


class VersionNotFound(StoreError):
    """The task has no such version."""


class LabelNotFound(StoreError):
    """The task has no such label."""


class StoreReadOnly(StoreError):
    """The store's place does not let this process write."""


class ClassNotFound(StoreError):
    """A name that is none of a version's classes."""


class StoreConflict(StoreError):
    """The state of the store forbids the change."""


class ClassesDiffer(StoreConflict):
    """A label would move to a version with another list of classes."""


class LabelMoved(StoreConflict):
    """A label is not what who changes it took it for; now it names `version` as `etag`, or is not there."""

    def __init__(self, message: str, version: int | None, etag: str | None) -> None:
        super().__init__(message)
        self.version = version
        self.etag = etag


class PictureError(DvptError):
    """Bytes that are no usable picture."""


class PictureFormat(PictureError):
    """A picture format that is not read."""


class PictureTooLarge(PictureError):
    """More bytes, pixels, parts, memory or time to decode than allowed."""


class PictureDamaged(PictureError):
    """Bytes that cannot be decoded."""


class ExportFailed(DvptError):
    """An exported model does not answer as its adapter does."""


class BankFull(DvptError):
    """The bank has no free slot for another adapter."""
