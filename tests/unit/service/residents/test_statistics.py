"""Counts of what each version answered."""

from service.residents.statistics import Statistics


def answer(statistics: Statistics, task: str, version: int, pictures: int = 2) -> None:
    statistics.answered(task, version, pictures, decode_s=0.25, queue_s=0.5, inference_s=1.0)


def test_each_version_is_counted() -> None:
    statistics = Statistics()
    for _ in range(3):
        answer(statistics, "pets", 2)
    answer(statistics, "pets", 1)

    counted = statistics.of("pets", 2)
    assert (counted.requests, counted.pictures, counted.failed) == (3, 6, 0)
    assert (counted.decode_s, counted.queue_s, counted.inference_s) == (0.75, 1.5, 3.0)
    assert counted.last_answer_s > 0
    assert list(statistics) == [("pets", 1), ("pets", 2)]


def test_what_was_never_asked_has_zeros_and_is_not_listed() -> None:
    statistics = Statistics()
    assert statistics.of("pets", 1).requests == 0
    assert list(statistics) == []


def test_what_came_since_a_version_was_read_counts_from_each_reading_on() -> None:
    statistics = Statistics()
    for count in (3, 2):
        statistics.was_read("pets", 1)
        for _ in range(count):
            answer(statistics, "pets", 1)
        assert statistics.of("pets", 1).since_read == count
    statistics.was_read("pets", 1)
    assert statistics.of("pets", 1).since_read == 0
    assert statistics.of("pets", 1).requests == 5


def test_failures_are_counted_apart_and_with_their_time() -> None:
    statistics = Statistics()
    for seconds in (0.5, 1.0):
        statistics.failed("pets", 1, seconds)
    answer(statistics, "pets", 1)
    counted = statistics.of("pets", 1)
    assert (counted.failed, counted.failed_s, counted.requests, counted.since_read) == (2, 1.5, 1, 3)


def test_of_very_many_the_last_ones_are_kept() -> None:
    statistics = Statistics(most_versions=2)
    answer(statistics, "pets", 1)
    answer(statistics, "pets", 2)
    answer(statistics, "pets", 1)
    answer(statistics, "pets", 3)
    assert list(statistics) == [("pets", 1), ("pets", 3)]
