import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.batching.queued_request import QueuedRequest

pytestmark = pytest.mark.anyio


def request(pictures: int, queued_s: float = 0.0) -> QueuedRequest[str, str]:
    answered: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    payloads = ["x"] * pictures
    return QueuedRequest("g", "a", pictures, 1e9, payloads=payloads, answered=answered, queued_s=queued_s)


async def test_the_answer_is_the_request_s_part_of_its_batch() -> None:
    each = request(2, queued_s=1.0)
    each.results, each.begin, each.launched_s = ["other", "first", "second", "other"], 1, 3.0

    assert each.answer(ended_s=7.0) == (["first", "second"], 2.0, 4.0)


@given(st.permutations(range(12)), st.sets(st.integers(1, 11)))
def test_parts_are_put_in_order_and_the_last_one_is_told(order: list[int], cuts: set[int]) -> None:
    asyncio.run(collect(order, sorted(cuts)))


async def collect(order: list[int], cuts: list[int]) -> None:
    each = request(12)
    parts = [range(first, last) for first, last in zip([0, *cuts], [*cuts, 12], strict=True)]
    parts.sort(key=lambda part: order[part.start])

    told = [each.collect(part.start, [f"picture {row}" for row in part]) for part in parts]

    assert told == [False] * (len(parts) - 1) + [True]
    assert each.answer(0.0).results == [f"picture {row}" for row in range(12)]


async def test_the_first_error_is_the_one_that_counts() -> None:
    each = request(1)
    each.fail(ValueError("first"))
    each.fail(ValueError("second"))

    with pytest.raises(ValueError, match="first"):
        await each.answered
