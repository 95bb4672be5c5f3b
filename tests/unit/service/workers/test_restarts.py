from hypothesis import given
from hypothesis import strategies as st

from service.workers.restarts import LONG_ENOUGH_S, LONGEST_PAUSE_S, MOST_FAILED_STARTS, Restarts

ENDS = st.lists(st.none() | st.floats(0, 2 * LONG_ENOUGH_S), max_size=40)


def test_the_first_end_is_followed_at_once_and_others_after_pauses_that_double() -> None:
    restarts = Restarts()

    assert [restarts.ended(1.0) for _ in range(5)] == [0.0, 0.5, 1.0, 2.0, 4.0]


def test_who_served_for_long_starts_anew() -> None:
    restarts = Restarts()
    for _ in range(3):
        restarts.ended(1.0)

    assert [restarts.ended(LONG_ENOUGH_S), restarts.ended(1.0), restarts.ended(1.0)] == [0.0, 0.0, 0.5]


def test_after_failed_starts_in_a_row_it_is_given_up() -> None:
    restarts = Restarts(most_failed_starts=3)

    assert [restarts.ended(None), restarts.ended(None), restarts.ended(0.1)] == [0.0, 0.5, 1.0]
    assert [restarts.ended(None), restarts.ended(None), restarts.ended(None)] == [2.0, 4.0, None]


@given(ENDS)
def test_only_failed_starts_give_up_and_no_pause_is_endless(ends: list[float | None]) -> None:
    restarts, in_a_row = Restarts(), 0
    for ready_s in ends:
        pause_s = restarts.ended(ready_s)
        in_a_row = in_a_row + 1 if ready_s is None else 0
        if pause_s is None:
            assert in_a_row >= MOST_FAILED_STARTS
            return
        assert 0 <= pause_s <= LONGEST_PAUSE_S
        assert in_a_row < MOST_FAILED_STARTS
