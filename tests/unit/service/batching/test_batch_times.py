import pytest

from service.batching.batch_times import BatchTimes


def test_nothing_is_expected_before_anything_ran() -> None:
    assert BatchTimes().expect_queue_s(100, 8) == 0.0


def test_the_mean_follows_what_ran() -> None:
    times = BatchTimes()
    for _ in range(50):
        times.learn(8, 1.0)
    for _ in range(50):
        times.learn(8, 3.0)

    assert times.expect_s(8) == pytest.approx(3.0, abs=0.01)


def test_sizes_are_learned_apart() -> None:
    times = BatchTimes()
    times.learn(1, 0.1)
    times.learn(64, 2.0)

    assert times.expect_s(1) == 0.1
    assert times.expect_s(64) == 2.0


def test_an_unknown_larger_size_is_scaled_up() -> None:
    times = BatchTimes()
    times.learn(8, 0.5)

    assert times.expect_s(64) == 4.0
    assert times.expect_s(1) == 0.5


def test_a_queue_takes_its_full_batches_and_the_rest() -> None:
    times = BatchTimes()
    times.learn(8, 1.0)
    times.learn(1, 0.25)

    assert times.expect_queue_s(17, 8) == 2.25
    assert times.expect_queue_s(16, 8) == 2.0


def test_what_every_batch_takes_is_told_in_pictures() -> None:
    times = BatchTimes()
    assert times.fixed_pictures() is None
    times.learn(3, 1.15)
    assert times.fixed_pictures() is None
    times.learn(200, 11.0)
    assert times.fixed_pictures() == 20
    times.learn(5, 1.25)
    assert times.fixed_pictures() == 20


def test_batches_that_gain_nothing_have_no_fixed_time() -> None:
    times = BatchTimes()
    for pictures in (1, 8, 64):
        times.learn(pictures, 0.02 * pictures)

    assert times.fixed_pictures() == 0


def test_times_that_do_not_grow_tell_nothing() -> None:
    times = BatchTimes()
    times.learn(1, 5.0)  # the first of all, with what it sets up
    times.learn(64, 1.0)

    assert times.fixed_pictures() is None


def test_each_batch_moves_the_mean_by_a_fifth() -> None:
    times = BatchTimes()
    times.learn(8, 1.0)
    times.learn(8, 2.0)

    assert times.expect_s(8) == pytest.approx(1.2)


def test_sizes_of_one_power_are_smoothed_too() -> None:
    times = BatchTimes()
    times.learn(4, 1.0)
    times.learn(7, 1.0)
    times.learn(100, 10.54)  # 0.1 s a picture more than the 4.6 that 1 s is for

    assert times.fixed_pictures() == 5


def test_times_that_stay_the_same_tell_nothing() -> None:
    times = BatchTimes()
    times.learn(1, 1.0)
    times.learn(64, 1.0)

    assert times.fixed_pictures() is None
