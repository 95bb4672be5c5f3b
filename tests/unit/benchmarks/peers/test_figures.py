import math

import pytest

from benchmarks.peers.figures import (
    Step,
    engine_limit_per_s,
    expected_tasks,
    goodput_per_s,
    p99,
    step,
    zipf_shares,
)
from benchmarks.scheduler.traffic import Traffic, arrivals


def test_p99_is_a_time_that_99_of_100_kept() -> None:
    assert p99([float(ms) for ms in range(100, 0, -1)]) == 99.0
    assert p99([1.0] * 99 + [math.inf]) == 1.0
    assert p99([1.0] * 98 + [math.inf] * 2) == math.inf
    with pytest.raises(ValueError, match="no requests"):
        p99([])


def test_good_answers_are_those_within_the_limit() -> None:
    one = step(50.0, [0.1, 0.2, 0.3, math.inf], limit_s=0.2)

    assert one == Step(50.0, math.inf, 25.0)


def test_goodput_is_where_p99_crosses_the_limit() -> None:
    steps = [Step(30.0, 4.0, 10.0), Step(10.0, 0.25, 10.0), Step(20.0, 1.0, 20.0)]

    assert goodput_per_s(steps, limit_s=2.0, patience_s=8.0) == pytest.approx(25.0)
    assert goodput_per_s(steps, limit_s=1.0, patience_s=8.0) == pytest.approx(20.0)


def test_what_was_never_answered_counts_as_patience() -> None:
    steps = [Step(10.0, 1.0, 10.0), Step(20.0, math.inf, 2.0)]

    assert goodput_per_s(steps, limit_s=2.0, patience_s=4.0) == pytest.approx(15.0)
    assert goodput_per_s(steps, limit_s=2.0, patience_s=2.0) == pytest.approx(20.0)


def test_goodput_ends_at_the_first_step_that_breaks_the_limit() -> None:
    steps = [Step(10.0, 1.0, 10.0), Step(20.0, 4.0, 3.0), Step(30.0, 1.0, 30.0)]

    assert goodput_per_s(steps, limit_s=2.0, patience_s=8.0) == pytest.approx(15.0)


def test_goodput_where_all_or_no_steps_keep_the_limit() -> None:
    steps = [Step(10.0, 1.0, 9.5), Step(20.0, 2.0, 12.0)]

    assert goodput_per_s(steps, limit_s=3.0, patience_s=8.0) == 20.0
    assert goodput_per_s(steps, limit_s=0.5, patience_s=8.0) == 9.5


def test_a_batch_has_as_many_tasks_as_its_pictures_show() -> None:
    shares = zipf_shares(100)
    asked = [int(request.task.removeprefix("task-")) for request in arrivals(TRAFFIC)]
    batches = [asked[first : first + 64] for first in range(0, len(asked) - 64, 64)]
    seen = sum(len(set(batch)) for batch in batches) / len(batches)

    assert sum(shares) == pytest.approx(1.0)
    assert asked.count(0) / len(asked) == pytest.approx(shares[0], rel=0.05)
    assert expected_tasks(shares, 1) == pytest.approx(1.0)
    assert expected_tasks(shares, 64) == pytest.approx(seen, rel=0.03)


def test_the_engine_is_as_fast_as_its_passes_let_it() -> None:
    assert engine_limit_per_s(0.003, 0.0002, 64) == pytest.approx(64 / 0.0158)
    assert engine_limit_per_s(0.003, 0.0002, 64, passes=30) == pytest.approx(64 / 0.1028)


TRAFFIC = Traffic(1000, tasks=100, seconds=20, popularity="zipf")
