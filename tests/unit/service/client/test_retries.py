from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from tenacity import RetryCallState, Retrying

from service.client.errors import Overloaded, ProblemError, Unavailable
from service.client.retries import LONGEST_WAIT_S, retry_after_s, wait_s


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("120", 120), (None, None), ("soon", None), ("-1", None), ("1.5", None)]
)
def test_seconds_are_read_and_nothing_else(text: str | None, seconds: float | None) -> None:
    assert retry_after_s(text) == seconds


def test_a_date_is_so_many_seconds_away() -> None:
    now = datetime.now(UTC)
    away = retry_after_s(format_datetime(now + timedelta(seconds=100), usegmt=True))
    assert away is not None
    assert 90 < away <= 100
    assert retry_after_s(format_datetime(now - timedelta(days=1), usegmt=True)) == 0


def waited_s(error: ProblemError, attempts: int) -> float:
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempts
    state.set_exception((type(error), error, None))
    return wait_s(state)


def test_the_wait_is_what_the_service_says_and_a_little_more() -> None:
    waits = {
        waited_s(Overloaded(429, "overloaded", "", retry_after_s=40), attempts) for attempts in range(1, 50)
    }
    assert min(waits) >= 40
    assert max(waits) <= 50
    assert len(waits) > 40  # not all clients come at once


def test_without_a_word_of_the_service_the_wait_grows_to_a_bound() -> None:
    error = Unavailable(503, "starting", "")
    assert all(waited_s(error, 1) <= 0.2 for _ in range(50))
    late = [waited_s(error, 30) for _ in range(50)]
    assert 1 < max(late) <= LONGEST_WAIT_S
