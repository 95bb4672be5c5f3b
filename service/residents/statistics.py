"""What each version answered in this process, whatever protocol asked: counts and sums of time."""

import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

MOST_VERSIONS = 10_000


@dataclass(slots=True)
class VersionStatistics:
    """Requests, pictures and seconds of one version since the process has known it.

    `before_read` counts the requests, answered or failed, that came before it was read last.
    """

    requests: int = 0
    pictures: int = 0
    failed: int = 0
    failed_s: float = 0.0
    decode_s: float = 0.0
    queue_s: float = 0.0
    inference_s: float = 0.0
    last_answer_s: float = 0.0
    before_read: int = 0

    @property
    def since_read(self) -> int:
        """Requests, answered or failed, since it was read last."""
        return self.requests + self.failed - self.before_read


class Statistics:
    """The versions that were asked, of very many the last ones.

    All methods belong to the event loop's thread.
    """

    def __init__(self, most_versions: int = MOST_VERSIONS) -> None:
        self._most_versions = most_versions
        self._versions: OrderedDict[tuple[str, int], VersionStatistics] = OrderedDict()

    def of(self, task: str, version: int) -> VersionStatistics:
        """What one version answered; nothing yet, perhaps."""
        return self._versions.get((task, version)) or VersionStatistics()

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """The versions that were asked, by task and number."""
        return iter(sorted(self._versions))

    def was_read(self, task: str, version: int) -> None:
        """A version came into memory, or anew; no matter whether it was asked before."""
        counted = self._versions.get((task, version))
        if counted is not None:
            counted.before_read += counted.since_read

    def answered(
        self, task: str, version: int, pictures: int, *, decode_s: float, queue_s: float, inference_s: float
    ) -> None:
        """One request was answered."""
        counted = self._counted(task, version)
        counted.requests += 1
        counted.pictures += pictures
        counted.decode_s += decode_s
        counted.queue_s += queue_s
        counted.inference_s += inference_s
        counted.last_answer_s = time.time()

    def failed(self, task: str, version: int, seconds: float) -> None:
        """One request was not answered after so long, be it that nobody waited any more."""
        counted = self._counted(task, version)
        counted.failed += 1
        counted.failed_s += seconds

    def _counted(self, task: str, version: int) -> VersionStatistics:
        key = task, version
        counted = self._versions.setdefault(key, VersionStatistics())
        self._versions.move_to_end(key)
        while len(self._versions) > self._most_versions:
            self._versions.popitem(last=False)
        return counted
