"""The private folder of one service: where its workers ask each other, and where they count."""

import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from service.peers.addresses import Address

LONGEST_SOCKET_PATH = 100
"""What a unix socket's name may have, less than the least of all systems."""
BACKLOG = 128


class WorkerFolder:
    """Readable by this user alone."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.metrics = root / "metrics"

    def address(self, worker: int) -> Address:
        """Where a worker answers the others."""
        return Address(path=str(self._socket(worker)))

    def listen(self, worker: int) -> socket.socket:
        """That address's socket; one that a dead worker left is replaced."""
        with suppress(FileNotFoundError):
            self._socket(worker).unlink()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self._socket(worker)))
        listener.listen(BACKLOG)
        return listener

    def _socket(self, worker: int) -> Path:
        return self.root / f"worker-{worker}.sock"


@contextmanager
def worker_folder() -> Iterator[WorkerFolder]:
    """A new folder, which is removed in the end. Raises OSError where none can be made."""
    room = len(tempfile.gettempdir()) + len("/dvpt-serve-12345678/worker-12.sock") <= LONGEST_SOCKET_PATH
    # On the way out a worker that was killed may still write its last.
    with tempfile.TemporaryDirectory(
        prefix="dvpt-serve-", dir=None if room else "/tmp",  # noqa: S108 - made with a random name, for this user
        ignore_cleanup_errors=True,
    ) as root:  # fmt: skip
        folder = WorkerFolder(Path(root))
        folder.metrics.mkdir()
        yield folder
