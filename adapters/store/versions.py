"""The folders of a task's versions: how a number is claimed, a version committed, read and buried.

Only exclusive and whole writes are used, so that the same rule holds on an object store.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapters.errors import StoreConflict
from adapters.store.artifact import CARD_FILE, CONFIG_FILE
from adapters.store.files import Files, Fingerprint, Stamp

CLAIM_FILE = "claim"
TOMBSTONE_FILE = "tombstone"
REMAINS = {CLAIM_FILE, TOMBSTONE_FILE}
FOLDER = re.compile(r"[1-9][0-9]{0,8}")
DEAD_AFTER_S = 24 * 3600


@dataclass(frozen=True)
class VersionsSeen:
    """What exists, in order, with stamps of the configurations; what tombstones tell; what cannot be told."""

    stamps: Mapping[int, Stamp]
    buried: frozenset[int]
    faults: Mapping[int, str]


@dataclass(frozen=True)
class VersionFolders:
    """`<task>/<version>/`: the version exists as long as `adapter_config.json` is in it."""

    files: Files

    def published(self, task: str) -> tuple[int, ...]:
        """The versions that exist, in order."""
        return tuple(self.seen(task, self.files.folders(task)).stamps)

    def seen(self, task: str, folders: Sequence[str]) -> VersionsSeen:
        """What one look tells of the versions among a task's folders."""
        stamps: dict[int, Stamp] = {}
        buried: set[int] = set()
        faults: dict[int, str] = {}
        for version in sorted(int(name) for name in folders if FOLDER.fullmatch(name)):
            try:
                stamp = self.files.stamp(f"{task}/{version}/{CONFIG_FILE}")
                if stamp is not None:
                    stamps[version] = stamp
                elif self.files.exists(f"{task}/{version}/{TOMBSTONE_FILE}"):
                    buried.add(version)
            except OSError as error:
                faults[version] = error.strerror or str(error)
        return VersionsSeen(stamps, frozenset(buried), faults)

    def exists(self, task: str, version: int) -> bool:
        """Whether the version is published and not deleted."""
        return self.files.exists(f"{task}/{version}/{CONFIG_FILE}")

    def fingerprint(self, task: str, version: int) -> Fingerprint:
        """That of the version's folder."""
        return self.files.fingerprint(f"{task}/{version}")

    def card_names(self, task: str, version: int) -> list[str]:
        """The files of a version that belong to its card."""
        return sorted(name for name in self.files.files(f"{task}/{version}") if CARD_FILE.fullmatch(name))

    def read(self, task: str, version: int, names: Sequence[str]) -> dict[str, bytes] | None:
        """The configuration and those of the files `names` that there are; None where no version is.

        A version that still exists after its files were read was whole while they were, because a
        deletion takes the configuration first and no number comes back.
        """
        found: dict[str, bytes] = {}
        for name in (CONFIG_FILE, *names):
            try:
                found[name] = self.files.read(f"{task}/{version}/{name}")
            except FileNotFoundError:
                continue
        return found if CONFIG_FILE in found and self.exists(task, version) else None

    def claim(self, task: str) -> int:
        """Take the next free number, which nobody else then gets."""
        version = max(self._numbers(task), default=0) + 1
        while not self.files.put_exclusive(f"{task}/{version}/{CLAIM_FILE}", b""):
            version += 1
        return version

    def commit(self, task: str, version: int, files: Mapping[str, bytes]) -> None:
        """Write the files; with the last one, the configuration, the version begins to exist.

        Raises StoreConflict if the claim was given up for dead meanwhile.
        """
        folder = f"{task}/{version}"
        for name, data in files.items():
            if name == CONFIG_FILE and self.files.exists(f"{folder}/{TOMBSTONE_FILE}"):
                raise StoreConflict(f"{folder} was given up for dead before it was finished; publish again")
            self.files.put(f"{folder}/{name}", data)

    def bury(self, task: str, version: int) -> None:
        """Leave a tombstone; with its configuration the version ceases to exist; then the rest goes."""
        folder = f"{task}/{version}"
        self.files.put_exclusive(f"{folder}/{CLAIM_FILE}", b"")
        self.files.put_exclusive(f"{folder}/{TOMBSTONE_FILE}", b"")
        self.files.remove(f"{folder}/{CONFIG_FILE}")
        for name in self.files.files(folder):
            if name not in REMAINS:
                self.files.remove(f"{folder}/{name}")

    def clear_leftovers(self, task: str) -> None:
        """Bury what interrupted deletions left, and what publishes left that have been still for a day."""
        for version in self._numbers(task):
            folder = f"{task}/{version}"
            names = set(self.files.files(folder))
            unfinished = CONFIG_FILE not in names and names != REMAINS
            if unfinished and (TOMBSTONE_FILE in names or self.files.age_s(folder) > DEAD_AFTER_S):
                self.bury(task, version)
            self.files.remove_temporaries(folder, DEAD_AFTER_S)
        self.files.remove_temporaries(f"{task}/labels", DEAD_AFTER_S)

    def _numbers(self, task: str) -> list[int]:
        return sorted(int(name) for name in self.files.folders(task) if FOLDER.fullmatch(name))
