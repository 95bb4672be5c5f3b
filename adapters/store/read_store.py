"""Reading a store: what there is of its tasks, and each version after every check. No lock is taken."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from adapters.config import STABLE, BackboneConfig
from adapters.errors import (
    ArtifactDamaged,
    ArtifactError,
    BackboneMismatch,
    LabelNotFound,
    StoreError,
    StoreNotFound,
    TaskNotFound,
    VersionNotFound,
)
from adapters.kinds.adapter_config import AdapterConfig
from adapters.store.artifact import CONFIG_FILE, TENSORS_FILE, Artifact, decode_artifact, parse_config
from adapters.store.artifact_folder import in_order
from adapters.store.files import Files, Fingerprint, Location, Stamp, open_files
from adapters.store.index import read_index
from adapters.store.journal import Journal, Position
from adapters.store.labels import LABELS_FOLDER, LabelFile, read_label, read_labels
from adapters.store.names import check_label_name, check_task_name, is_task_name
from adapters.store.signature import SIGNATURE_FILE, SignatureState, Signer, Trust, signature_state
from adapters.store.strict_json import parse_json
from adapters.store.task_record import NO_RULES, TaskRecord
from adapters.store.versions import VersionFolders

BACKBONE_FILE = "backbone.json"
READ_ATTEMPTS = 5
TASKS_NAMED = 100


@dataclass(frozen=True)
class ReadStore:
    """One place with files. `url` opens it again, in this process or another, and names it in messages."""

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
    def open(cls, location: Location) -> Self:
        """Open the store at a path or a URL.

        Raises StoreNotFound, StoreError where it cannot be read, ArtifactFormat for a `backbone.json` that
        makes no sense, and ConfigError for a URL that cannot be used.
        """
        files = open_files(location)
        return cls(files.url, read_backbone(files), files)

    def check_backbone(self) -> None:
        """Look whether the store is still there, and still this backbone's.

        Raises BackboneMismatch, and what `open` raises.
        """
        if read_backbone(self._files).sha256 != self.backbone.sha256:
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
            raise label_not_found(record, label)
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
        return in_order(files)

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

    def label(self, task: str, label: str) -> LabelFile:
        """One label with its history and rules. Raises TaskNotFound, LabelNotFound, and ArtifactError."""
        found = read_label(self._files, check_task_name(task), check_label_name(label))
        if found is None:
            raise label_not_found(self.task(task), label)
        return found

    def labels(self, task: str) -> dict[str, LabelFile]:
        """Every label that can be read, by name. Raises TaskNotFound."""
        labels, _ = read_labels(self._files, self.task(task).name)
        return labels

    def _decoded(self, task: str, version: int, files: Mapping[str, bytes]) -> Artifact:
        try:
            if self.trust is not None:
                self.trust.check(task, files[CONFIG_FILE], files.get(SIGNATURE_FILE))
            return decode_artifact(files, self.backbone)
        except (ArtifactError, BackboneMismatch) as error:
            raise type(error)(f"{task}/{version}: {error}") from error

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

    def _some_tasks(self) -> str:
        """The first tasks there are, for people; looking at all of very many would take minutes."""
        folders = self.task_folders()
        named = [name for name in folders[:TASKS_NAMED] if self.record(name)]
        more = ", …" if len(folders) > TASKS_NAMED else ""
        return f"{', '.join(named)}{more}" or "none yet"


def read_backbone(files: Files) -> BackboneConfig:
    """The store's backbone. Raises what `ReadStore.open` raises."""
    try:
        data = files.read(BACKBONE_FILE)
    except FileNotFoundError as error:
        raise StoreNotFound(f"there is no store at {files.url}: it has no {BACKBONE_FILE}") from error
    except ArtifactDamaged as error:
        raise StoreError(f"the store {files.url} cannot be read: {error}") from error
    return parse_json(BackboneConfig, data, f"{files.url}/{BACKBONE_FILE}")


def label_not_found(record: TaskRecord, label: str) -> LabelNotFound:
    """The error for a label that the task lacks, with the versions of those it has."""
    labels = ", ".join(f"{name} (version {at})" for name, at in record.labels.items()) or "no labels"
    return record.label_not_found(label, labels)


def _dangling(task: str, label: str, version: int) -> str:
    return f"label {label!r} of {task!r} names version {version}, which is gone"
