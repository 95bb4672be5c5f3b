"""Requests for the demonstration: the test pictures of embedded tasks as PNG, one a request."""

import asyncio
import io
import statistics
import time
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache

import httpx
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from training.data.embedded import EMBEDDED_TASKS, load_embedded

IN_FLIGHT_PER_TASK = 32


@dataclass
class Tally:
    """What came back: per task the answers that were right, and every latency; failures with their text."""

    by_task: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    latencies_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    failures: int = 0

    @property
    def answered(self) -> int:
        """Requests that were answered, of all tasks."""
        return sum(len(answers) for answers in self.by_task.values())


@dataclass(frozen=True)
class Batches:
    """Means over every batch the service ran."""

    pictures_per_batch: float
    tasks_per_batch: float
    count: int


class Traffic:
    """Asks the service and keeps the tally."""

    def __init__(self, client: httpx.AsyncClient, tally: Tally) -> None:
        self._client = client
        self._tally = tally

    async def send(self, task: str, limit: int) -> None:
        """Send the first `limit` test pictures of `task`, a few at a time."""
        free = asyncio.Semaphore(IN_FLIGHT_PER_TASK)

        async def one(picture: bytes, label: int) -> None:
            async with free:
                await self._ask(task, picture, label)

        await asyncio.gather(*(one(*pair) for pair in test_pictures(task)[:limit]))

    async def flow(self, task: str, stop: asyncio.Event) -> None:
        """Ask on and on until told to stop."""
        pictures = test_pictures(task)
        index = 0
        while not stop.is_set():
            await self._ask(task, *pictures[index % len(pictures)])
            index += 1

    async def serving_version(self, task: str) -> int:
        """The version that answers for `task`, 0 while there is none."""
        answer = await self._client.get(f"/v1/tasks/{task}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return 0
        serving = answer.raise_for_status().json()["serving"]
        return int(serving["stable"]["version"]) if "stable" in serving else 0

    async def _ask(self, task: str, picture: bytes, label: int) -> None:
        start = time.perf_counter()
        try:
            answer = await self._client.post(
                f"/v1/tasks/{task}/classify", content=picture, headers={"content-type": "image/png"}
            )
            answer.raise_for_status()
        except httpx.HTTPError as error:
            self._tally.failures += 1
            print(f"  failed: {error}")
            return
        best = answer.json()["predictions"][0]["classes"][0]["label"]
        self._tally.by_task[task].append(best == EMBEDDED_TASKS[task].classes[label])
        self._tally.latencies_ms[task].append((time.perf_counter() - start) * 1000)


@cache
def test_pictures(task: str) -> list[tuple[bytes, int]]:
    """The test split of an embedded task as PNG bytes with labels."""
    pictures, labels = load_embedded(task, "test")
    return [(_png(picture), label) for picture, label in zip(pictures, labels, strict=True)]


async def scrape_batches(client: httpx.AsyncClient) -> Batches:
    """Read the service's own batch histograms."""
    text = (await client.get("/metrics")).text
    values = {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("dvpt_batch_") and sample.name.endswith(("_sum", "_count"))
    }
    count = values["dvpt_batch_pictures_count"]
    return Batches(
        pictures_per_batch=values["dvpt_batch_pictures_sum"] / count,
        tasks_per_batch=values["dvpt_batch_tasks_sum"] / count,
        count=int(count),
    )


def print_table(tally: Tally, batches: Batches) -> None:
    """Accuracy, beside that of guessing, and latency per task, then what the batches looked like."""
    print(f"\n{'task':<22}{'requests':>9}{'accuracy':>10}{'guessing':>10}{'p50 ms':>9}{'p99 ms':>9}")
    for task, correct in sorted(tally.by_task.items()):
        p50, p99 = percentiles(tally.latencies_ms[task])
        accuracy, guessing = sum(correct) / len(correct), 1 / len(EMBEDDED_TASKS[task].classes)
        print(f"{task:<22}{len(correct):>9}{accuracy:>10.3f}{guessing:>10.3f}{p50:>9.1f}{p99:>9.1f}")
    print(
        f"\nfailures: {tally.failures}   asked together: {batches.count} batches, "
        f"{batches.pictures_per_batch:.1f} pictures and {batches.tasks_per_batch:.2f} distinct tasks in each"
    )


def percentiles(values: list[float]) -> tuple[float, float]:
    """Median and 99th percentile."""
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return cuts[49], cuts[98]


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
