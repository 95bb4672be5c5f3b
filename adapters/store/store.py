"""The versioned store of one backbone's adapters: atomic publish, labels, listing, integrity.

docs/artifact-format.md specifies the files; docs/adr/0001 gives the reasons for the commit rule.
"""

import errno
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field

from adapters.config import STABLE, BackboneConfig
from adapters.errors import (
    ArtifactDamaged,
    ArtifactError,
    BackboneMismatch,
    ClassesDiffer,
    ConfigError,
    DvptError,
    LabelNotFound,
    StoreConflict,
    StoreError,
    StoreNotFound,
    StoreReadOnly,
    TaskNotFound,
    VersionNotFound,
)
from adapters.kinds.adapter_config import AdapterConfig
from adapters.store.artifact import (
    CONFIG_FILE,
    TENSORS_FILE,
    Artifact,
    decode_artifact,
    encode_artifact,
    parse_config,
)
from adapters.store.artifact_folder import is_artifact_file
from adapters.store.class_lists import require_same_classes
from adapters.store.files import Files, Fingerprint, Location, Stamp, open_files
from adapters.store.index import read_index, renew_index, write_index
from adapters.store.journal import JOURNAL_FOLDER, Journal, Position
from adapters.store.label_rules import LabelRules
from adapters.store.labels import (
    LABELS_FOLDER,
    LabelFile,
    label_key,
    read_label,
    read_labels,
    require_etag,
    write_label,
)
from adapters.store.names import check_label_name, check_task_name, is_task_name
from adapters.store.signature import SIGNATURE_FILE, SignatureState, Signer, Trust, signature_state
from adapters.store.strict_json import parse_json
from adapters.store.task_record import NO_RULES, TaskRecord
from adapters.store.versions import DEAD_AFTER_S, VersionFolders

BACKBONE_FILE = "backbone.json"
READ_ATTEMPTS = 5
NOT_WRITABLE = {errno.EROFS, errno.EACCES, errno.EPERM}
TASKS_NAMED = 100
INDEX_EVERY = 400
"""Less than half of what the journal keeps, so that an index is of use even where one renewal failed."""


@dataclass(frozen=True)
class Published:
    """Which version an artifact is; `existed`: a version of the same configuration and tensors was there."""

    version: int
    existed: bool


@dataclass(frozen=True)
class Store:
    """One place with files. Reading takes no lock; moving labels and deleting hold the task's lock.

    `url` opens the store again, in this process or another, and names it in messages.
    """

    url: str
    backbone: BackboneConfig
    _files: Files = field(repr=False, compare=False)
    trust: Trust | None = field(default=None, repr=False, compare=False)
    """Whose signatures `load` asks for; without it nobody's."""
    signer: Signer | None = field(default=None, repr=False, compare=False)
    """Who signs what is published."""

    @property
    def journal(self) -> Journal:
        """What changed, for those who follow the store."""
        return Journal(self._files)

    @property
    def _versions(self) -> VersionFolders:
        return VersionFolders(self._files)

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

    @classmethod
    def open(cls, location: Location) -> "Store":
        """Open the store at a path or a URL.

        Raises StoreNotFound, StoreError where it cannot be read, ArtifactFormat for a `backbone.json` that
        makes no sense, and ConfigError for a URL that cannot be used.
        """
        files = open_files(location)
        return cls(files.url, _read_backbone(files), files)

    def check_backbone(self) -> None:
        """Look whether the store is still there, and still this backbone's.

        Raises BackboneMismatch, and what `open` raises.
        """
        if _read_backbone(self._files).sha256 != self.backbone.sha256:
            raise BackboneMismatch(f"the store {self.url} now belongs to another backbone")

    def records(self) -> dict[str, TaskRecord]:
        """Every task by name. Cheap enough to be polled, and one damaged task does not hide the others."""
        found = map(self.record, self.task_folders())
        return {record.name: record for record in found if record}

    def look(self, tasks: Iterable[str] | None = None) -> dict[str, TaskRecord]:
        """The record of every task folder, or of `tasks`, for those who look again and again.

        Also of what was deleted. Raises what `check_backbone` raises where the store was not the same place
        from begin to end, however short: a listing that was cut off has no error of its own.
        """
        self.check_backbone()
        place, found = self._place(), {}
        for task in self.task_folders() if tasks is None else tasks:
            found[task] = self._record(task)
            if self._place() != place:
                break
        self.check_backbone()
        if self._place() != place:
            raise StoreNotFound(f"the store {self.url} was replaced during a look at it")
        return found

    def indexed(self) -> tuple[dict[str, TaskRecord], Position] | None:
        """The records of the index and the journal's position they are of; None without a usable one."""
        return read_index(self._files, self.backbone.sha256)

    def write_index(self) -> int:
        """Look at everything and write the index, the number of tasks in it. Raises what `look` raises."""
        return write_index(self._files, self.backbone.sha256, self.look)

    def tasks(self) -> list[str]:
        """The names of all tasks, in order."""
        return list(self.records())

    def task_folders(self) -> list[str]:
        """The tasks, by name, and those with nothing published: all deleted, unfinished or unreadable."""
        return sorted(self.unsorted_task_folders())

    def unsorted_task_folders(self) -> list[str]:
        """As `task_folders`, in no order: of very many, sorting would hold up a process's other threads."""
        return [name for name in self._files.folders() if is_task_name(name)]

    def record(self, task: str) -> TaskRecord | None:
        """One task; None where nothing is published."""
        record = self._record(check_task_name(task))
        return record if record.versions or record.problems else None

    def task(self, task: str) -> TaskRecord:
        """One task. Raises TaskNotFound, which names tasks there are."""
        record = self.record(task)
        if record is None:
            raise TaskNotFound(f"there is no task {task!r}; the store has: {self._some_tasks()}")
        return record

    def resolve(self, task: str, *, version: int | None = None, label: str = STABLE) -> int:
        """The version asked for, or the one a label names. Raises VersionNotFound or LabelNotFound."""
        record = self.task(task)
        if version is not None:
            return record.require_version(version)
        if label not in record.labels:
            raise _label_not_found(record, label)
        return record.labels[label]

    def config(self, task: str, version: int) -> AdapterConfig:
        """The configuration of one version. Raises VersionNotFound or ArtifactFormat."""
        data = self._read(task, version, ())[CONFIG_FILE]
        try:
            return parse_config(data)
        except ArtifactError as error:
            raise type(error)(f"{task}/{version}: {error}") from error

    def load(self, task: str, version: int, *, card: bool = True) -> Artifact:
        """One version after every check, without its card if that is not wanted.

        Raises VersionNotFound, ArtifactError or BackboneMismatch.
        """
        check_task_name(task)
        names = list(self._versions.card_names(task, version)) if card else []
        if self.trust is not None:
            names.append(SIGNATURE_FILE)
        return self._decoded(task, version, self._read(task, version, (TENSORS_FILE, *names)))

    def files(self, task: str, version: int) -> dict[str, bytes]:
        """Every file of one version as it is, the configuration last. Raises what `load` raises."""
        check_task_name(task)
        names = [*self._versions.card_names(task, version), SIGNATURE_FILE, TENSORS_FILE]
        files = self._read(task, version, names)
        self._decoded(task, version, files)
        return _in_order(files)

    def signature(self, task: str, version: int) -> SignatureState:
        """Who signed one version, and whether that is trusted here. Raises VersionNotFound."""
        files = self._read(task, version, (SIGNATURE_FILE,))
        return signature_state(self.trust, task, files[CONFIG_FILE], files.get(SIGNATURE_FILE))

    def card(self, task: str, version: int) -> Mapping[str, bytes]:
        """The card of one version: file name → bytes."""
        check_task_name(task)
        files = self._read(task, version, self._versions.card_names(task, version))
        return {name: data for name, data in files.items() if name != CONFIG_FILE}

    def fingerprint(self, task: str, version: int) -> Fingerprint:
        """What tells, without reading the files of a version, that somebody changed one; empty if none is."""
        return self._versions.fingerprint(check_task_name(task), version)

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
            published = Published(version or self._committed(task, _in_order(files)), version is not None)
            if label is not None:
                self._move_label(task, label, published.version, replace_classes=True)
        return published

    def sign(self, task: str, version: int, signer: Signer) -> None:
        """Sign a version that is there, in place of a signature it may have. Raises VersionNotFound."""
        with self._announced(task), self._locked(task):
            config = self._read(task, version, ())[CONFIG_FILE]
            self._files.put(f"{task}/{version}/{SIGNATURE_FILE}", signer.sign(task, config))

    def check_classes(self, task: str, label: str, classes: Sequence[str]) -> None:
        """Raise ClassesDiffer if the label names a version whose classes, in their order, are not these.

        Of a label or version that cannot be read nothing is held: moving the label is how it is repaired.
        """
        before = self._label(task, check_label_name(label))
        if before is not None:
            self._require_classes(task, label, before, classes)

    def set_label(
        self,
        task: str,
        label: str,
        version: int,
        *,
        replace_classes: bool = False,
        expected: Collection[str] | None = None,
    ) -> LabelFile:
        """Point a label at a version, and remember the version it leaves; the label.

        Raises ClassesDiffer, and LabelMoved where it has none of the ETags that are `expected`, if any are.
        """
        check_label_name(label)
        with self._announced(task), self._locked(task):
            return self._move_label(task, label, version, replace_classes=replace_classes, expected=expected)

    def label(self, task: str, label: str) -> LabelFile:
        """One label with its history and rules. Raises TaskNotFound, LabelNotFound, and ArtifactError."""
        found = read_label(self._files, check_task_name(task), check_label_name(label))
        if found is None:
            raise _label_not_found(self.task(task), label)
        return found

    def promote(self, task: str, label: str, version: int, *, past: int) -> bool:
        """Move `stable` from version `past` to the one that `label` names; False where it is there already.

        Raises LabelNotFound, ClassesDiffer, and StoreConflict where either label names another version.
        """
        with self._announced(task), self._locked(task):
            named, stable = self.label(task, label).version, self.label(task, STABLE)
            if stable.version == version:
                return False
            if (named, stable.version) != (version, past):
                raise StoreConflict(
                    f"label {label!r} of task {task!r} names version {named} and {STABLE!r} version "
                    f"{stable.version}, no longer {version} and {past}"
                )
            self._require_classes(task, STABLE, stable, self.config(task, version).classes)
            write_label(self._files, task, STABLE, stable.moved_to(version))
            return True

    def rule(
        self, task: str, label: str, change: Callable[[LabelRules], LabelRules], *, version: int | None = None
    ) -> LabelFile:
        """Give a label the rules that `change` makes of its own; the label.

        Raises what `label` raises, and StoreConflict where it names another version than the one given.
        """
        with self._announced(task), self._locked(task):
            before = self.label(task, label)
            if version not in (None, before.version):
                raise StoreConflict(
                    f"label {label!r} of task {task!r} names version {before.version}, no longer {version}"
                )
            after = before.ruled(change(before.rules or LabelRules()))
            if after != before:
                write_label(self._files, task, label, after)
            return after

    def labels(self, task: str) -> dict[str, LabelFile]:
        """Every label that can be read, by name. Raises TaskNotFound."""
        labels, _ = read_labels(self._files, self.task(task).name)
        return labels

    def remove_label(self, task: str, label: str, *, expected: Collection[str] | None = None) -> None:
        """Remove a label and its history. Raises LabelNotFound, and LabelMoved as `set_label`."""
        check_label_name(label)
        with self._announced(task), self._locked(task):
            if not self._files.exists(label_key(task, label)):
                raise LabelNotFound(f"task {task!r} has no label {label!r}")
            require_etag(label, self._label(task, label), expected)
            self._files.remove(label_key(task, label))

    def rollback(
        self,
        task: str,
        label: str = STABLE,
        *,
        replace_classes: bool = False,
        expected: Collection[str] | None = None,
    ) -> int:
        """Move a label back to the version it named before; that version.

        Raises LabelNotFound, ClassesDiffer, LabelMoved as `set_label`, and StoreConflict where there is
        nothing to go back to.
        """
        check_label_name(label)
        with self._announced(task), self._locked(task):
            before = read_label(self._files, task, label)
            if before is None:
                raise LabelNotFound(f"task {task!r} has no label {label!r}")
            require_etag(label, before, expected)
            after = before.rolled_back(self.task(task).versions)
            if after is None:
                raise StoreConflict(
                    f"label {label!r} of task {task!r} has no version before {before.version} to go back to"
                )
            if not replace_classes:
                self._require_classes(task, label, before, self.config(task, after.version).classes)
            write_label(self._files, task, label, after)
            return after.version

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

    def _decoded(self, task: str, version: int, files: Mapping[str, bytes]) -> Artifact:
        try:
            if self.trust is not None:
                self.trust.check(task, files[CONFIG_FILE], files.get(SIGNATURE_FILE))
            return decode_artifact(files, self.backbone)
        except (ArtifactError, BackboneMismatch) as error:
            raise type(error)(f"{task}/{version}: {error}") from error

    def _move_label(
        self,
        task: str,
        label: str,
        version: int,
        *,
        replace_classes: bool,
        expected: Collection[str] | None = None,
    ) -> LabelFile:
        """Within the task's lock."""
        self.task(task).require_version(version)
        before = self._label(task, label)
        require_etag(label, before, expected)
        if before and before.version != version and not replace_classes:
            self._require_classes(task, label, before, self.config(task, version).classes)
        after = before.moved_to(version) if before else LabelFile(version=version)
        if after != before:
            write_label(self._files, task, label, after)
        return after

    @contextmanager
    def _announced(self, task: str) -> Iterator[None]:
        """Tell the journal of a task when what is done to it is done, also where that ended half way."""
        with self._writing():
            try:
                yield
            except DvptError:  # refused: nothing was done
                raise
            except BaseException:
                self._announce(task)
                raise
        self._announce(task)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Raise StoreReadOnly where this process may not write."""
        try:
            yield
        except OSError as error:
            if error.errno not in NOT_WRITABLE:
                raise
            raise StoreReadOnly(
                f"the store {self.url} cannot be changed by this process: {error.strerror}"
            ) from error

    def _announce(self, task: str) -> None:
        # What was done is done: without an entry it is seen too, at the next look at everything.
        with suppress(OSError, DvptError):
            if self.journal.append(task) % INDEX_EVERY == 0:
                renew_index(self._files, self.backbone.sha256, self.look)

    def _record(self, task: str) -> TaskRecord:
        for _ in range(READ_ATTEMPTS):
            try:
                # Labels first: a version published in between is then only missing, not dangling.
                labels, damaged = read_labels(self._files, task)
                folders = self._files.folders(task)
                seen = self._versions.seen(task, folders)
            except OSError as error:
                return TaskRecord(task, (), {}, (f"task {task!r} cannot be read: {error.strerror}",))
            lost = [name for name, label in labels.items() if label.version not in seen.stamps]
            if not lost:  # else a version may have gone after its label moved on: look again
                break
        dangling = (_dangling(task, name, labels[name].version) for name in lost)
        named = {name: label.version for name, label in labels.items() if name not in lost}
        faults = (f"version {at} of {task!r} cannot be read: {fault}" for at, fault in seen.faults.items())
        return TaskRecord(
            task,
            tuple(seen.stamps),
            named,
            (*damaged.values(), *dangling, *faults),
            stamps=seen.stamps,
            buried=seen.buried,
            unclear=frozenset({*damaged, *lost, *seen.faults}),
            has_labels=LABELS_FOLDER in folders,
            rules={name: rules for name in named if (rules := labels[name].rules)} or NO_RULES,
        )

    def _place(self) -> Stamp:
        try:
            return self._files.identity()
        except OSError as error:
            raise StoreNotFound(f"the store {self.url} went away during a look at it") from error

    def _read(self, task: str, version: int, names: Sequence[str]) -> dict[str, bytes]:
        check_task_name(task)
        for _ in range(READ_ATTEMPTS):
            files = self._versions.read(task, version, names)
            if files is not None:
                return files
            self.task(task).require_version(version)
        raise VersionNotFound(f"version {version} of task {task!r} could not be read whole")

    def _require_classes(self, task: str, label: str, before: LabelFile, classes: Sequence[str]) -> None:
        """As `check_classes`, of a label that was read."""
        try:
            own = self.config(task, before.version).classes
        except (ArtifactError, StoreError):
            return
        require_same_classes(label, before.version, own, classes)

    def _label(self, task: str, label: str) -> LabelFile | None:
        """The label; None where there is none, or a damaged one."""
        try:
            return read_label(self._files, task, label)
        except ArtifactError:
            return None

    def _readable_labels(self, task: str) -> dict[str, LabelFile]:
        """All labels; one that cannot be read might name any version, so nothing may be deleted then."""
        labels, damaged = read_labels(self._files, task)
        for problem in damaged.values():
            raise StoreConflict(f"{problem}; set or remove that label first")
        return labels

    def _locked(self, task: str) -> AbstractContextManager[None]:
        check_task_name(task)
        # The task's folder first: listing those of very many tasks takes longer than all the rest.
        if not self._files.folders(task) and task not in self._files.folders():
            self.task(task)  # raises TaskNotFound
        return self._files.lock(task)

    def _some_tasks(self) -> str:
        """The first tasks there are, for people; looking at all of very many would take minutes."""
        folders = self.task_folders()
        named = [name for name in folders[:TASKS_NAMED] if self.record(name)]
        more = ", …" if len(folders) > TASKS_NAMED else ""
        return f"{', '.join(named)}{more}" or "none yet"


def _in_order(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """An artifact's files, the configuration last: with it a version exists."""
    names = [name for name in files if is_artifact_file(name) and name != CONFIG_FILE]
    return {name: files[name] for name in (*names, CONFIG_FILE)}


def _read_backbone(files: Files) -> BackboneConfig:
    try:
        data = files.read(BACKBONE_FILE)
    except FileNotFoundError as error:
        raise StoreNotFound(f"there is no store at {files.url}: it has no {BACKBONE_FILE}") from error
    except ArtifactDamaged as error:
        raise StoreError(f"the store {files.url} cannot be read: {error}") from error
    return parse_json(BackboneConfig, data, f"{files.url}/{BACKBONE_FILE}")


def _label_not_found(record: TaskRecord, label: str) -> LabelNotFound:
    labels = ", ".join(f"{name} (version {at})" for name, at in record.labels.items()) or "no labels"
    return record.label_not_found(label, labels)


def _dangling(task: str, label: str, version: int) -> str:
    return f"label {label!r} of {task!r} names version {version}, which is gone"


def _describe(backbone: BackboneConfig) -> str:
    return f"{backbone.name} at {backbone.image_size} px with SHA-256 {backbone.sha256[:12]}…"
