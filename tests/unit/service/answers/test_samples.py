"""Pictures that are kept: whole, within the caps whoever writes, and never in an answer's way."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from adapters.store.files import Files, open_files
from service.answers import samples as module
from service.answers.samples import SampleLimits, Samples
from service.metrics import Metrics
from service.residents.storage_threads import StorageThreads
from tests.support.pictures import plain_png

NOON = datetime(2026, 11, 26, 12, 59, 58, tzinfo=UTC)
ALL = SampleLimits(share=1.0, margin=0.2, per_hour=100, most=100)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


class Clock:
    now = NOON

    def __call__(self) -> datetime:
        return self.now


def make(
    folder: Path, threads: ThreadPoolExecutor, limits: SampleLimits = ALL, clock: Clock | None = None
) -> Samples:
    return Samples(open_files(folder), limits, cast("StorageThreads", threads), Metrics(), clock or Clock())


def settle(threads: ThreadPoolExecutor) -> None:
    threads.submit(lambda: None).result()


def outcome(samples: Samples, name: str) -> float:
    return samples._metrics.registry.get_sample_value("dvpt_samples_total", {"outcome": name}) or 0.0


def pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*/[!.]*") if path.suffix != ".json")


def test_a_picture_lies_beside_its_answer(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    samples = make(tmp_path, threads)
    samples.offer("digits", plain_png(3), {"request_id": "a", "verdict": "none_of_these"})
    settle(threads)

    (picture,) = pictures(tmp_path)
    assert picture.read_bytes() == plain_png(3)
    assert picture.parent.name == "digits"
    assert picture.name.startswith("20261126T125958-")
    assert picture.suffix == ".png"
    facts = json.loads(picture.with_suffix(".json").read_text())
    assert facts == {
        "picture": picture.name,
        "when": "2026-11-26T12:59:58.000+00:00",
        "request_id": "a",
        "verdict": "none_of_these",
    }
    assert outcome(samples, "kept") == 1


def test_no_more_than_the_caps_are_kept_by_all_processes(tmp_path: Path) -> None:
    limits = SampleLimits(1.0, 0.2, per_hour=3, most=5)
    clock = Clock()
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        both = [make(tmp_path, threads, limits, clock) for threads in (one, other)]
        for hour in range(3):
            clock.now = NOON + timedelta(hours=hour)
            for number in range(4):
                for samples in both:
                    samples.offer("digits", plain_png(number), {})
            for threads in (one, other):
                settle(threads)
            assert len(pictures(tmp_path)) == (3, 5, 5)[hour]
        both[0].offer("pets", plain_png(1), {})
    assert len(pictures(tmp_path)) == 6
    assert sum(outcome(samples, "full") for samples in both) == 24 - 5


def test_a_task_that_is_full_holds_nothing_until_the_next_hour(
    tmp_path: Path, threads: ThreadPoolExecutor
) -> None:
    clock = Clock()
    samples = make(tmp_path, threads, SampleLimits(1.0, 0.2, per_hour=1, most=9), clock)
    for _ in range(2):
        samples.offer("digits", b"x", {})
    settle(threads)
    with samples.keeping("digits", [b"x"]) as kept, samples.keeping("pets", [b"x"]) as others:
        assert (kept, others) == ((), (b"x",))
    clock.now += timedelta(seconds=2)
    with samples.keeping("digits", [b"x"]) as kept:
        assert kept == (b"x",)


def test_of_requests_a_share_is_kept(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    samples = make(tmp_path, threads, SampleLimits(0.3, 0.2, 9, 9))
    held = 0
    for _ in range(2000):
        with samples.keeping("digits", [b"x"]) as kept:
            held += len(kept)
    assert 450 < held < 750


def test_what_waits_is_bounded_and_the_rest_dropped_and_counted(
    tmp_path: Path, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_HELD_BYTES", 10)
    samples, gate = make(tmp_path, threads), threading.Event()
    threads.submit(gate.wait, 10)
    for _ in range(4):
        samples.offer("digits", b"1234", {})
    with samples.keeping("digits", [b"123"]) as kept:
        assert kept == ()
    assert outcome(samples, "dropped") == 2
    gate.set()
    settle(threads)
    assert outcome(samples, "kept") == 2
    with samples.keeping("digits", [b"1234567890"]) as kept:
        assert kept == (b"1234567890",)
        assert samples._held_bytes == 10
    assert samples._held_bytes == 0


def test_a_place_that_cannot_be_written_is_told_and_no_more(
    tmp_path: Path, threads: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    samples = make(tmp_path / "file", threads)
    samples.offer("digits", b"x", {})
    settle(threads)
    assert outcome(samples, "failed") == 1
    assert "sample_failed" in caplog.text


class Failing:
    """A place that takes pictures and no facts."""

    def __init__(self, files: Files) -> None:
        self.files, self.lock, self._put = files.files, files.lock, files.put

    def put(self, key: str, data: bytes) -> None:
        if key.endswith(".json"):
            raise OSError(28, "No space left on device")
        self._put(key, data)


def test_a_picture_whose_facts_could_not_be_written_counts(
    tmp_path: Path, threads: ThreadPoolExecutor
) -> None:
    files = cast("Files", Failing(open_files(tmp_path)))
    limits = SampleLimits(1.0, 0.2, per_hour=1, most=9)
    samples = Samples(files, limits, cast("StorageThreads", threads), Metrics(), Clock())
    for _ in range(2):
        samples.offer("digits", b"x", {})
    settle(threads)
    assert (outcome(samples, "failed"), outcome(samples, "full")) == (1, 1)
    assert len(pictures(tmp_path)) == 1
