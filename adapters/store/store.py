"""The versioned store of one backbone's adapters: atomic publish, labels, listing, integrity.

docs/artifact-format.md specifies the files; docs/adr/0001 gives the reasons for the commit rule.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from adapters.config import STABLE, BackboneConfig
from adapters.errors import (
    BackboneMismatch,
    ClassesDiffer,
    ConfigError,
    StoreConflict,
    StoreError,
)
from adapters.store.artifact import (
    CONFIG_FILE,
    TENSORS_FILE,
    Artifact,
    decode_artifact,
    encode_artifact,
)
from adapters.store.artifact_folder import in_order
from adapters.store.files import Location, open_files
from adapters.store.journal import JOURNAL_FOLDER
from adapters.store.label_store import LabelStore
from adapters.store.labels import (
    LABELS_FOLDER,
    label_key,
)
from adapters.store.names import check_label_name, check_task_name
from adapters.store.read_store import BACKBONE_FILE
from adapters.store.signature import SIGNATURE_FILE, Signer
from adapters.store.versions import DEAD_AFTER_S


@dataclass(frozen=True)
class Published:
    """Which version an artifact is; `existed`: a version of the same configuration and tensors was there."""

    version: int
    existed: bool


@dataclass(frozen=True)
class Store(LabelStore):
    """A store that is made, published to, pruned. Moving labels and deleting hold the task's lock."""

    @classmethod
    def create(cls, location: Location, backbone: BackboneConfig) -> "Store":
        """Make a store for `backbone`, or open the one there is.

        Raises BackboneMismatch for another's, StoreError where none can be made, and what `open` raises.
        """
        files = open_files(location)
        if not files.exists(BACKBONE_FILE):
            try:
                files.put_exclusive(BACKBONE_FILE, backbone.model_dump_json(indent=2).encode() + b"\n")
            except OSError as error:
                raise StoreError(f"cannot make a store at {files.url}: {error.strerror or error}") from error
        store = cls.open(location)
        # The same weights may have come from a file here and from the hub there.
        if store.backbone.model_copy(update={"revision": backbone.revision}) != backbone:
            raise BackboneMismatch(
                f"the store {store.url} belongs to {_describe(store.backbone)}, not to {_describe(backbone)}"
            )
        return store

    def publish(
        self, task: str, artifact: Artifact, *, label: str | None = STABLE, replace_classes: bool = False
    ) -> int:
        """Write the next version of a task, move `label` to it, and return its number.

        Raises BackboneMismatch, ArtifactError, InvalidName or ClassesDiffer before anything is written; the
        last one also where the label came to other classes meanwhile: the version is there without it then.
        """
        check_task_name(task)
        if label is not None:
            check_label_name(label)
            if not replace_classes:
                self.check_classes(task, label, artifact.config.classes)
        files = encode_artifact(artifact, self.backbone)
        if self.signer is not None:
            files = {SIGNATURE_FILE: self.signer.sign(task, files[CONFIG_FILE]), **files}
        with self._writing():
            version = self._committed(task, files)
        try:
            if label is not None:
                with self._writing(), self._locked(task):
                    self._move_label(task, label, version, replace_classes=replace_classes)
        except ClassesDiffer as error:
            raise ClassesDiffer(f"{error}; published as version {version}, without the label") from error
        finally:
            self._announce(task)
        return version

    def publish_files(
        self,
        task: str,
        files: Mapping[str, bytes],
        *,
        label: str | None = STABLE,
        replace_classes: bool = False,
    ) -> Published:
        """As `publish`, of an artifact's files as they are; of one that is there already, that version.

        Of several at once that bring the same, one makes the version. A signature that comes with the files
        is kept; where signatures are asked for there must be one. Raises ArtifactError, BackboneMismatch,
        InvalidName or ClassesDiffer before anything is written.
        """
        check_task_name(task)
        if label is not None:
            check_label_name(label)
        config = decode_artifact(files, self.backbone).config
        if self.trust is not None:
            self.trust.check(task, files[CONFIG_FILE], files.get(SIGNATURE_FILE))
        if label is not None and not replace_classes:
            self.check_classes(task, label, config.classes)  # before the lock, which makes the task's folder
        with self._announced(task), self._files.lock(task):
            if label is not None and not replace_classes:
                self.check_classes(task, label, config.classes)
            version = self._same(task, files)
            published = Published(version or self._committed(task, in_order(files)), version is not None)
            if label is not None:
                self._move_label(task, label, published.version, replace_classes=True)
        return published

    def sign(self, task: str, version: int, signer: Signer) -> None:
        """Sign a version that is there, in place of a signature it may have. Raises VersionNotFound."""
        with self._announced(task), self._locked(task):
            config = self._read(task, version, ())[CONFIG_FILE]
            self._files.put(f"{task}/{version}/{SIGNATURE_FILE}", signer.sign(task, config))

    def delete_version(self, task: str, version: int, *, force: bool = False) -> None:
        """Remove one version for good, and its labels with `force`.

        Raises VersionNotFound, and without `force` StoreConflict while a label names it.
        """
        with self._announced(task), self._locked(task):
            self.task(task).require_version(version)
            labels = [name for name, label in self._readable_labels(task).items() if label.version == version]
            if force:
                for label in labels:
                    self._files.remove(label_key(task, label))
            elif labels:
                raise StoreConflict(
                    f"version {version} of task {task!r} has the label {' and '.join(labels)}; "
                    "move or remove the label first"
                )
            self._versions.bury(task, version)

    def delete_task(self, task: str, *, force: bool = True) -> None:
        """Remove every label and version of a task.

        Raises TaskNotFound, and without `force` StoreConflict while it has labels.
        """
        with self._announced(task), self._locked(task):
            labels = self._files.files(f"{task}/{LABELS_FOLDER}")
            if labels and not force:
                raise StoreConflict(
                    f"task {task!r} has the label {' and '.join(sorted(labels))}; remove its labels first"
                )
            for label in labels:
                self._files.remove(label_key(task, label))
            for version in self.task(task).versions:
                self._versions.bury(task, version)

    def prune(self, task: str, keep: int) -> list[int]:
        """Remove all but the newest `keep` versions, the labelled ones and those a rollback would reach.

        Also clears what publishes that died more than a day ago left behind. Returns the removed versions.
        """
        if keep < 0:
            raise ConfigError(f"cannot keep {keep} versions")
        removed: list[int] = []
        try:
            with self._writing(), self._locked(task):
                versions = self._versions.published(task)
                kept = set(versions[len(versions) - min(keep, len(versions)) :])
                for label in self._readable_labels(task).values():
                    before = label.rolled_back(versions)
                    kept |= {label.version} | ({before.version} if before else set())
                for version in versions:
                    if version not in kept:
                        removed.append(version)
                        self._versions.bury(task, version)
                self._versions.clear_leftovers(task)
                self._files.remove_temporaries(JOURNAL_FOLDER, DEAD_AFTER_S)
        finally:
            if removed:
                self._announce(task)
        return removed

    def _committed(self, task: str, files: Mapping[str, bytes]) -> int:
        """Claim the next version and write it; one that fails is buried."""
        version = self._versions.claim(task)
        try:
            self._versions.commit(task, version, files)
        except BaseException:
            with suppress(OSError):  # the disk may be full: the first error is the one to tell
                self._versions.bury(task, version)
            raise
        return version

    def _same(self, task: str, files: Mapping[str, bytes]) -> int | None:
        """The newest version with this configuration and these tensors, with the signature that came."""
        for version in reversed(self._versions.published(task)):
            found = self._versions.read(task, version, (SIGNATURE_FILE,))
            if found is None or found[CONFIG_FILE] != files[CONFIG_FILE]:
                continue
            tensors = self._versions.read(task, version, (TENSORS_FILE,)) or {}
            if tensors.get(TENSORS_FILE) != files[TENSORS_FILE]:
                continue
            signature = files.get(SIGNATURE_FILE)
            if signature is not None and signature != found.get(SIGNATURE_FILE):
                self._files.put(f"{task}/{version}/{SIGNATURE_FILE}", signature)
            return version
        return None


def _describe(backbone: BackboneConfig) -> str:
    return f"{backbone.name} at {backbone.image_size} px with SHA-256 {backbone.sha256[:12]}…"
