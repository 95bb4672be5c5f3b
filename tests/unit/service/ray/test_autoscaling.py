from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.ray.autoscaling import QUEUED_PICTURES, QueuedPictures

WAITING = st.lists(st.integers(0, 2000), min_size=1, max_size=20)


def context(waiting: list[int] | None, at_proxy: float = 0, target: int = 3) -> Any:
    """What Ray tells a policy: each replica's metric, requests no replica has yet, replicas wanted now."""
    metrics = None if waiting is None else {QUEUED_PICTURES: dict(enumerate(waiting))}
    return SimpleNamespace(
        aggregated_metrics=metrics, total_queued_requests=at_proxy, target_num_replicas=target
    )


@given(waiting=WAITING, at_proxy=st.integers(0, 500), target=st.integers(1, 200))
def test_replicas_share_what_waits_at_the_target_each(waiting: list[int], at_proxy: int, target: int) -> None:
    wanted, _ = QueuedPictures(target)(context(waiting, at_proxy))

    pictures = sum(waiting) + at_proxy
    assert wanted * target >= pictures
    assert (wanted - 1) * target < pictures


def test_nothing_waits() -> None:
    assert QueuedPictures()(context([0, 0]))[0] == 0  # min_replicas is the deployment's


@pytest.mark.parametrize("waiting", [None, []])
def test_who_has_heard_nothing_changes_nothing(waiting: list[int] | None) -> None:
    assert QueuedPictures()(context(waiting, target=3))[0] == 3


def test_a_target_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        QueuedPictures(0)
