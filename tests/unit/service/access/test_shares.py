"""How much one key may ask for."""

import pytest

from service.access.shares import KeyShares
from service.errors import KeyOverLimit
from tests.support.keys import new_key


def test_requests_under_way_are_counted_for_each_key() -> None:
    (_, key), (_, other) = new_key(concurrent_requests=2), new_key(concurrent_requests=1)
    shares = KeyShares()
    first, _ = shares.take(key), shares.take(key)
    with pytest.raises(KeyOverLimit, match="may have 2 requests under way") as caught:
        shares.take(key)
    assert caught.value.retry_after_s > 0
    shares.take(other)
    first()
    shares.take(key)
    with pytest.raises(KeyOverLimit):
        shares.take(key)


def test_requests_of_the_last_second_are_counted_for_each_key() -> None:
    (_, key), (_, other) = new_key(requests_per_s=3), new_key(requests_per_s=1)
    shares = KeyShares()
    refused: list[KeyOverLimit] = []
    for _ in range(9):  # a second may pass meanwhile
        try:
            shares.take(key)()
        except KeyOverLimit as error:
            refused.append(error)
    assert 1 <= len(refused) <= 6
    assert "may ask 3 times a second" in str(refused[0])
    assert 0 <= refused[0].retry_after_s <= 2
    shares.take(other)()


def test_what_has_no_limit_is_never_refused() -> None:
    _, key = new_key()
    shares = KeyShares()
    for _ in range(100):
        shares.take(key)
