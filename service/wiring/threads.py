"""The threads of a service."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import torch

from service.residents.storage_threads import StorageThreads

LOADER_THREADS = 8
WORK_THREADS = 4


@dataclass(frozen=True)
class Threads:
    """The engine's one thread, those that write the bank, and those that wait for storage.

    These load from the store, look at it, do there what requests ask for, write the audit trail and keep
    samples. Storage that hangs holds them for ever, and nobody else.
    """

    engine: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="engine")
    )
    bank: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(2, thread_name_prefix="bank"))
    loader: StorageThreads = field(default_factory=lambda: StorageThreads(LOADER_THREADS, "loader"))
    look: StorageThreads = field(default_factory=lambda: StorageThreads(1, "look"))
    work: StorageThreads = field(default_factory=lambda: StorageThreads(WORK_THREADS, "work"))
    audit: StorageThreads = field(default_factory=lambda: StorageThreads(1, "audit"))
    samples: StorageThreads = field(default_factory=lambda: StorageThreads(1, "samples"))

    def close(self) -> None:
        """Drop what has not begun. Nothing waits for what runs: it may be a load from storage that hangs."""
        self.samples.shutdown()
        self.look.shutdown()
        self.work.shutdown()
        self.audit.shutdown()
        self.loader.shutdown()
        self.bank.shutdown(wait=False, cancel_futures=True)
        self.engine.shutdown(wait=False, cancel_futures=True)


def alone() -> None:
    """Have what torch does for this thread be done by this thread, a picture's copy for one.

    To wake others takes longer than all that is done here; only the engine's thread has so much to do.
    """
    torch.set_num_threads(1)
