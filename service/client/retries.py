"""When a request is sent again, after how long, and until when."""

import random
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tenacity import RetryCallState, stop_before_delay, wait_random_exponential
from tenacity.stop import stop_base

from service.client.errors import NoAnswer, Overloaded, ProblemError, Unavailable

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 10.0
BY_THE_PICTURE = frozenset({"inference_failed", "output_not_finite", "out_of_memory"})
"""Failures of a forward pass: they may come from what was sent, and then come again."""
TRIES_BY_THE_PICTURE = 3


class Repeats:
    """Whether to send a request again after what it raised.

    What the service has not taken on is sent again: 429, and a connection that was not made. The rest only
    where answering twice changes nothing (`repeatable`).
    """

    def __init__(self, *, repeatable: bool) -> None:
        self._repeatable = repeatable

    def __call__(self, state: RetryCallState) -> bool:
        """As tenacity asks it."""
        error = _raised(state)
        if isinstance(error, NoAnswer):
            return self._repeatable or not error.sent
        if isinstance(error, Unavailable) and error.code in BY_THE_PICTURE:
            return self._repeatable and state.attempt_number < TRIES_BY_THE_PICTURE
        return isinstance(error, Overloaded) or (self._repeatable and isinstance(error, Unavailable))


def wait_s(state: RetryCallState) -> float:
    """As long as the service says, some more so that not all come at once; else ever longer."""
    error = _raised(state)
    if isinstance(error, ProblemError) and error.retry_after_s is not None:
        return error.retry_after_s * random.uniform(1, 1.25)  # noqa: S311 -- no secret
    return wait_random_exponential(FIRST_WAIT_S, LONGEST_WAIT_S)(state)


def until(deadline_s: float) -> stop_base:
    """No further attempt that would begin after the deadline."""
    return stop_before_delay(deadline_s)


def retry_after_s(text: str | None) -> float | None:
    """The header's seconds or date (RFC 9110, 10.2.3) in seconds from now; None where it is neither."""
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (when - datetime.now(UTC)).total_seconds()) if when.tzinfo else None


def left_s(ends: float) -> float:
    """Seconds until a time of the monotonic clock, and a little, so that an attempt can begin."""
    return max(0.05, ends - time.monotonic())


def _raised(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
