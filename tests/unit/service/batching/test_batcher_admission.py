import asyncio
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import Overloaded
from tests.support.gated import FOREVER, running, upper

pytestmark = pytest.mark.anyio


async def test_admission_is_bounded_in_pictures_and_frees_itself() -> None:
    async with running(upper, max_pictures=10) as batcher:
        with batcher.admit("a", 7):
            assert batcher.admitted == 7
            with (
                pytest.raises(Overloaded, match="7 pictures are waiting, and at most 10 may"),
                batcher.admit("b", 4),
            ):
                pass
            with batcher.admit("b", 3):
                assert batcher.admitted == 10
        assert batcher.admitted == 0


async def test_retry_after_grows_with_what_waits() -> None:
    async with running(upper, max_batch=4, max_pictures=100) as batcher:
        await batcher.submit("g", "a", ["x"] * 8, FOREVER)

        def retry_after_s(admitted: int) -> float:
            with (
                batcher.admit("a", admitted),
                pytest.raises(Overloaded) as overloaded,
                batcher.admit("b", 101),
            ):
                pass
            return overloaded.value.retry_after_s

        assert 0 < retry_after_s(8) < retry_after_s(80)


async def test_a_task_takes_more_room_only_while_as_much_stays_free_for_others() -> None:
    async with running(upper, max_pictures=100) as batcher:
        with ExitStack() as held:
            for _ in range(5):
                held.enter_context(batcher.admit("flood", 10))
            with (
                pytest.raises(
                    Overloaded, match="'flood' has 50 of them, and the 50 free places are for other tasks"
                ),
                batcher.admit("flood", 1),
            ):
                pass
            for _ in range(2):
                held.enter_context(batcher.admit("other", 10))
            with batcher.admit("third", 30):
                assert batcher.admitted == 100
        with batcher.admit("flood", 100):  # one request may have all of what is free
            assert batcher.admitted == 100


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 30), st.booleans()), max_size=60))
def test_room_is_given_back_whatever_came(requests: list[tuple[str, int, bool]]) -> None:
    asyncio.run(admit_and_leave(requests))


async def admit_and_leave(requests: list[tuple[str, int, bool]]) -> None:
    async with running(upper, max_pictures=100) as batcher:
        with ExitStack() as held:
            for task, pictures, stays in requests:
                before = batcher.admitted
                try:
                    with ExitStack() as room:
                        room.enter_context(batcher.admit(task, pictures))
                        if stays:
                            held.push(room.pop_all())
                except Overloaded:
                    assert batcher.admitted == before
                assert batcher.admitted <= 100
        assert batcher.admitted == 0
        with batcher.admit("any", 100):
            pass
