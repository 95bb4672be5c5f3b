from benchmarks.scheduler.cost import Load, bare_us, batcher_us, in_turn
from service.batching.batcher import Batcher


def test_processor_time_is_told_for_every_side_and_round() -> None:
    load = Load(tasks=10, queue=64, pictures=4, max_batch=16)

    told = in_turn({"batcher": lambda: batcher_us(Batcher, load), "bare": lambda: bare_us(load)}, rounds=2)

    assert {side: len(times) for side, times in told.items()} == {"batcher": 2, "bare": 2}
    assert all(us > 0 for times in told.values() for us in times)
