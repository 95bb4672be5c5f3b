"""Files in memory, for what needs thousands of steps, and turns between those who use them at once."""

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from adapters.store.files import Fingerprint, Stamp
from adapters.store.names import check_key


@dataclass
class MemoryFiles:
    """As an object store: puts, exclusive puts and listings by prefix. `turn` is called before each."""

    data: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    turn: Callable[[], None] = lambda: None
    counter: Iterator[int] = field(default_factory=itertools.count)
    url: str = "memory://"

    def at_turns(self, turn: Callable[[], None]) -> "MemoryFiles":
        """The same files for somebody else."""
        return MemoryFiles(self.data, turn, self.counter)

    def identity(self) -> Stamp:
        return (id(self.data),)

    def read(self, key: str) -> bytes:
        self.turn()
        if check_key(key) not in self.data:
            raise FileNotFoundError(key)
        return self.data[key][1]

    def put(self, key: str, data: bytes) -> None:
        self.turn()
        self.data[check_key(key)] = next(self.counter), data

    def put_exclusive(self, key: str, data: bytes) -> bool:
        self.turn()
        if check_key(key) in self.data:
            return False
        self.data[key] = next(self.counter), data
        return True

    def exists(self, key: str) -> bool:
        self.turn()
        return check_key(key) in self.data

    def stamp(self, key: str) -> Stamp | None:
        self.turn()
        found = self.data.get(check_key(key))
        return (found[0],) if found else None

    def remove(self, key: str) -> None:
        self.turn()
        self.data.pop(check_key(key), None)

    def folders(self, folder: str = "") -> list[str]:
        return list({name.split("/")[0] for name in self._below(folder) if "/" in name})

    def files(self, folder: str) -> list[str]:
        return [name for name in self._below(folder) if "/" not in name]

    def fingerprint(self, folder: str) -> Fingerprint:
        return frozenset((name, self.data[f"{folder}/{name}"][0]) for name in self.files(folder))

    def age_s(self, folder: str) -> float:
        raise NotImplementedError(folder)

    def remove_temporaries(self, folder: str, older_than_s: float) -> None:
        """There are none."""

    def lock(self, folder: str) -> AbstractContextManager[None]:
        raise NotImplementedError(folder)

    def _below(self, folder: str) -> list[str]:
        self.turn()
        start = f"{folder}/" if folder else ""
        return [key.removeprefix(start) for key in self.data if key.startswith(start)]


class Killed(BaseException):
    """Somebody was ended between two of his steps."""


class Actor:
    """Somebody whose work stops before each use of files until `step` lets him do it."""

    def __init__(self, files: MemoryFiles, work: Callable[[MemoryFiles], None]) -> None:
        self._may, self._did = threading.Semaphore(0), threading.Semaphore(0)
        self._kill = False
        self.over = False
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(files, work), daemon=True)
        self._thread.start()
        self._did.acquire()

    def step(self, *, kill: bool = False) -> None:
        if not self.over:
            self._kill = kill
            self._may.release()
            self._did.acquire()

    def _turn(self) -> None:
        self._did.release()
        self._may.acquire()
        if self._kill:
            raise Killed

    def _run(self, files: MemoryFiles, work: Callable[[MemoryFiles], None]) -> None:
        try:
            work(files.at_turns(self._turn))
        except Killed:
            pass
        except BaseException as error:
            self.error = error
        self.over = True
        self._did.release()


def take_turns(actors: Sequence[Actor], order: Sequence[tuple[int, bool]]) -> None:
    """Step in the order given (whose turn modulo their number, whether he is killed), then to the end."""
    for number, kill in order:
        actors[number % len(actors)].step(kill=kill)
    for actor in actors:
        while not actor.over:
            actor.step()
    for actor in actors:
        if actor.error is not None:
            raise actor.error
