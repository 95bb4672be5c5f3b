"""The batcher in virtual time: who waits for whom, and that the engine never idles for nothing."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.scheduler.clock import EngineModel
from benchmarks.scheduler.simulation import Limits, longest_turn_s, replay, simulate
from benchmarks.scheduler.traffic import FLOOD, Arrival, Traffic

GPU = EngineModel()
FULL = GPU.rate(256)


@pytest.mark.slow
@pytest.mark.parametrize("load", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("layouts", [1, 4])
@pytest.mark.parametrize("apart", [False, True])
def test_one_flooding_task_at_most_doubles_the_others_p99(load: float, layouts: int, apart: bool) -> None:
    calm = Traffic(load * FULL, tasks=200, layouts=layouts, seconds=0.5)
    flooded = replace(calm, flood_rate=2 * FULL, flood_apart=apart)

    undisturbed, disturbed = (simulate(traffic, GPU, Limits()) for traffic in (calm, flooded))

    assert disturbed.p99_ms <= 2.05 * undisturbed.p99_ms  # the flood's first moments are in the figure
    assert disturbed.refused == 0
    assert disturbed.flood_pictures > 0.1 * (1 - load) * FULL * calm.seconds


def test_in_order_of_arrival_a_flood_would_delay_and_refuse_everyone() -> None:
    calm = Traffic(0.5 * FULL, tasks=200, seconds=0.5)

    undisturbed = simulate(calm, GPU, Limits())
    disturbed = simulate(replace(calm, flood_rate=2 * FULL), GPU, Limits(fair=False))

    assert disturbed.p99_ms > 10 * undisturbed.p99_ms
    assert disturbed.refused > 0.1 * disturbed.answered


@pytest.mark.slow
@pytest.mark.parametrize("popularity", ["uniform", "zipf"])
@pytest.mark.parametrize("layouts", [1, 8])
def test_nobody_starves_when_more_comes_than_can_be_answered(popularity: str, layouts: int) -> None:
    traffic = Traffic(1.5 * FULL, tasks=300, layouts=layouts, seconds=0.5, popularity=popularity)  # type: ignore[arg-type]

    outcome = simulate(traffic, GPU, Limits())

    assert outcome.refused > 0
    assert 0 < outcome.longest_lone_queue_ms <= 1000 * longest_turn_s(traffic, GPU, 256)


REQUESTS = st.lists(
    st.tuples(
        st.floats(0.0, 0.02),
        st.sampled_from(["a", "b", "c", FLOOD]),
        st.integers(0, 2),
        st.integers(1, 40),
    ),
    max_size=40,
)


@given(REQUESTS, st.integers(1, 32), st.floats(0.0, 0.002), st.floats(0.0001, 0.002))
@settings(deadline=None, max_examples=150)
def test_the_engine_is_never_idle_while_work_is_queued(
    drawn: list[tuple[float, str, int, int]], max_batch: int, fixed_s: float, per_picture_s: float
) -> None:
    requests, at_s = [], 0.0
    for gap_s, task, layout, pictures in drawn:
        at_s += gap_s
        requests.append(Arrival(at_s, task, layout, pictures))

    outcome = replay(requests, EngineModel(fixed_s, per_picture_s), Limits(max_batch, max_pictures=10_000))

    assert outcome.idle_with_work_s == 0.0
    floods = sum(request.task == FLOOD for request in requests)
    assert (outcome.answered, outcome.refused) == (len(requests) - floods, 0)
    assert outcome.flood_pictures == sum(each.pictures for each in requests if each.task == FLOOD)


def test_the_same_traffic_always_takes_the_same_time() -> None:
    traffic = Traffic(0.7 * FULL, tasks=50, layouts=3, seconds=0.2, flood_rate=FULL)

    assert simulate(traffic, GPU, Limits()) == simulate(traffic, GPU, Limits())
