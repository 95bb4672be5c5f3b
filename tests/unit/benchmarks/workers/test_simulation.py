from dataclasses import replace

import pytest

from benchmarks.workers.simulation import Costs, simulate

COSTS = Costs(
    serial_s=0.001,
    decode_s=0.0005,
    launch_s=0.0,
    handover_s=0.0,
    pass_fixed_s=0.001,
    pass_picture_s=0.0001,
)


@pytest.mark.parametrize("processes", [1, 2, 4])
@pytest.mark.parametrize("one_engine", [False, True])
def test_processes_end_where_their_interpreters_do(processes: int, one_engine: bool) -> None:
    outcome = simulate(COSTS, processes, one_engine=one_engine, clients=256, seconds=1.0)

    assert outcome.pictures_a_second == pytest.approx(1000 * processes, rel=0.05)


def test_and_where_the_gpu_does() -> None:
    outcome = simulate(COSTS, 16, one_engine=True, clients=1024, seconds=1.0)

    assert outcome.pictures_a_second == pytest.approx(64 / (0.001 + 64 * 0.0001), rel=0.03)
    assert outcome.gpu_busy == pytest.approx(1, abs=0.02)


def test_one_request_alone_takes_the_sum_of_its_parts() -> None:
    outcome = simulate(COSTS, 2, one_engine=False, clients=1, seconds=0.5)

    assert outcome.p50_ms == pytest.approx(1 + 0.5 + 1 + 0.1)
    assert outcome.batch == 1


def test_few_cores_are_shared() -> None:
    slow = replace(COSTS, decode_s=0.01)
    outcome = simulate(slow, 4, one_engine=False, clients=64, cores=2, seconds=1.0)

    assert outcome.pictures_a_second == pytest.approx(200, rel=0.05)
