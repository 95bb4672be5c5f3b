"""Moving labels: under the lock of their task, and told to the journal."""

import errno
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass

from adapters.config import STABLE
from adapters.errors import (
    ArtifactError,
    DvptError,
    LabelNotFound,
    StoreConflict,
    StoreError,
    StoreReadOnly,
)
from adapters.store.class_lists import require_same_classes
from adapters.store.index import renew_index, write_index
from adapters.store.label_rules import LabelRules
from adapters.store.labels import LabelFile, label_key, read_label, read_labels, require_etag, write_label
from adapters.store.names import check_label_name, check_task_name
from adapters.store.read_store import ReadStore

NOT_WRITABLE = {errno.EROFS, errno.EACCES, errno.EPERM}
INDEX_EVERY = 400
"""Less than half of what the journal keeps, so that an index is of use even where one renewal failed."""


@dataclass(frozen=True)
class LabelStore(ReadStore):
    """A store whose labels can be moved."""

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

    def write_index(self) -> int:
        """Look at everything and write the index, the number of tasks in it. Raises what `look` raises."""
        return write_index(self._files, self.backbone.sha256, self.look)

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
