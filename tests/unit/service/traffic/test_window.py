from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from service.traffic.window import Window


@given(st.integers(1, 9), st.lists(st.booleans(), max_size=40))
def test_a_window_counts_the_last_outcomes(size: int, outcomes: list[bool]) -> None:
    window, last = Window(size), deque[bool](maxlen=size)
    for outcome in outcomes:
        window.add(outcome)
        last.append(outcome)
        assert window.hits == sum(last)
        assert window.share == sum(last) / size
        assert window.full == (len(last) == size)
