from collections import Counter

import pytest

from benchmarks.scheduler.traffic import FLOOD, Traffic, arrivals


def test_traffic_is_of_the_rate_the_tasks_and_the_layouts_asked_for() -> None:
    traffic = Traffic(
        1000, tasks=10, layouts=5, seconds=10, popularity="zipf", flood_rate=320, flood_apart=True
    )

    requests = arrivals(traffic)
    counts = Counter(request.task for request in requests)

    assert [each.at_s for each in requests] == sorted(each.at_s for each in requests)
    assert len(requests) - counts[FLOOD] == pytest.approx(10_000, rel=0.05)
    assert counts[FLOOD] == pytest.approx(200, rel=0.3)
    assert counts["task-0"] == pytest.approx(2 * counts["task-1"], rel=0.2)
    assert {each.layout for each in requests if each.task == FLOOD} == {5}
    assert all(each.layout == int(each.task[5:]) % 5 for each in requests if each.task != FLOOD)
    assert arrivals(traffic) == requests


def test_bursts_come_at_one_moment() -> None:
    moments = Counter(each.at_s for each in arrivals(Traffic(1000, burst=50, seconds=5)))

    assert set(moments.values()) == {50}
