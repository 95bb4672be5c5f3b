from pathlib import Path

import pytest
from pydantic import ValidationError

from service.descriptors import DEFAULT_CONNECTIONS
from service.settings import Settings
from service.workers.division import divided, share_of


def settings(**given: object) -> Settings:
    return Settings.model_validate({"store": Path("store"), "decode_threads": 6} | given)


def test_what_bounds_memory_and_threads_is_divided() -> None:
    whole = settings(workers=3, torch_threads=2, host_bytes=10, max_connections=7)

    assert divided(whole) == {
        "max_queued_pictures": 341,
        "max_body_bytes_held": 170_666_666,
        "max_connections": 2,
        "host_bytes": 3,
        "decode_threads": 2,
        "feedback_answers": 3333,
        "torch_threads": 1,
    }
    assert "feedback_answers" not in divided(settings(workers=3, feedback_answers=0))


def test_defaults_are_divided_too_and_what_bounds_one_request_is_not() -> None:
    whole = settings(workers=4)
    share = share_of(whole)

    assert (share.max_connections, share.host_bytes) == (DEFAULT_CONNECTIONS // 4, whole.host_bytes // 4)
    assert share.torch_threads == 0  # its default is a part of the cores
    assert share.max_request_bytes == whole.max_request_bytes
    assert (share.workers, share.slots_per_layout) == (4, whole.slots_per_layout)


@pytest.mark.parametrize("workers", [1, 4, 5, 17, 64])
def test_by_default_every_worker_can_take_the_largest_request(workers: int) -> None:
    share = share_of(settings(workers=workers))

    assert share.max_body_bytes_held >= 2 * share.max_request_bytes
    assert share.max_queued_pictures >= share.max_pictures_per_request


@pytest.mark.parametrize("limit", [{"max_body_bytes_held": 512_000_000}, {"max_queued_pictures": 511}])
def test_a_limit_that_leaves_a_worker_too_little_is_refused(limit: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match=f"must not be above 1/{16 if 'bytes' in str(limit) else 8} of"):
        settings(workers=8, **limit)
