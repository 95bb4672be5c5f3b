from contextlib import ExitStack, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.batching.admission import Admission
from service.errors import Overloaded
from tests.support.gated import FOREVER, running, upper

PLACES = 100
REQUESTS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 30), st.booleans()), max_size=60)


def admission(places: int = PLACES) -> Admission:
    return Admission(places, lambda pictures: 0.5 * pictures)


def has_room(admission: Admission, task: str, pictures: int) -> bool:
    with suppress(Overloaded), admission.admit(task, pictures):
        return True
    return False


def most(admission: Admission, task: str) -> int:
    """The largest request that a task may send now; larger ones are tried as well."""
    return max((n for n in range(1, PLACES + 2) if has_room(admission, task, n)), default=0)


def refusal(admission: Admission, task: str, pictures: int) -> Overloaded:
    with pytest.raises(Overloaded) as overloaded, admission.admit(task, pictures):
        pass
    return overloaded.value


def test_admission_is_bounded_in_pictures_and_frees_itself() -> None:
    room = admission(10)
    with room.admit("a", 7):
        assert room.admitted == 7
        assert "7 pictures are waiting, and at most 10 may; this request has 4" in str(refusal(room, "b", 4))
        with room.admit("b", 3):
            assert room.admitted == 10
    assert room.admitted == 0


def test_retry_after_is_what_the_admitted_pictures_are_expected_to_take() -> None:
    room = admission()
    with room.admit("a", 8):
        assert refusal(room, "b", 101).retry_after_s == 4.0


@pytest.mark.anyio
async def test_the_batcher_expects_more_time_of_more_pictures() -> None:
    async with running(upper, max_batch=4, max_pictures=PLACES) as batcher:
        await batcher.submit("g", "a", ["x"] * 8, FOREVER)

        def retry_after_s(admitted: int) -> float:
            with (
                batcher.admit("a", admitted),
                pytest.raises(Overloaded) as overloaded,
                batcher.admit("b", 101),
            ):
                pass
            assert batcher.admitted == 0
            return overloaded.value.retry_after_s

        assert 0 < retry_after_s(8) < retry_after_s(80)


def test_a_task_takes_more_room_only_while_as_much_stays_free_for_others() -> None:
    room = admission()
    with ExitStack() as held:
        for _ in range(5):
            held.enter_context(room.admit("flood", 10))
        told = "'flood' has 50 of them, and the 50 free places are for other tasks; this request has 1"
        assert told in str(refusal(room, "flood", 1))
        assert "for other tasks" in str(refusal(room, "flood", 50))
        assert "for other tasks" not in str(refusal(room, "flood", 51))  # no task could have so much
        for _ in range(2):
            held.enter_context(room.admit("other", 10))
        with room.admit("third", 30):
            assert room.admitted == 100


def test_one_request_may_have_all_that_is_free() -> None:
    room = admission()
    with room.admit("others", 40):
        assert most(room, "newcomer") == 60
    assert most(room, "alone") == PLACES


@given(st.integers(1, 99), st.integers(0, 99))
def test_a_task_that_holds_room_may_ask_for_what_stays_free_beside_as_much(held: int, others: int) -> None:
    room = admission()
    others = min(others, PLACES - held)
    with ExitStack() as stack:
        if others:
            stack.enter_context(room.admit("others", others))
        stack.enter_context(room.admit("task", held))

        assert most(room, "task") == max(0, PLACES - others - held - held)
        assert most(room, "newcomer") == PLACES - others - held


@given(st.integers(1, PLACES), st.integers(1, 5))
def test_floods_that_come_in_turn_end_where_as_much_stays_free_as_each_has(places: int, floods: int) -> None:
    room = admission(places)
    with ExitStack() as stack:
        held = dict.fromkeys(range(floods), 0)
        grew = True
        while grew:
            grew = False
            for flood in held:
                if has_room(room, str(flood), 1):
                    stack.enter_context(room.admit(str(flood), 1))
                    held[flood] += 1
                    grew = True

        least = min(held.values())
        assert least - 1 <= places - room.admitted <= least


@given(REQUESTS)
def test_room_is_given_back_whatever_came(requests: list[tuple[str, int, bool]]) -> None:
    room = admission()
    with ExitStack() as held:
        for task, pictures, stays in requests:
            before = room.admitted
            try:
                with ExitStack() as admitted:
                    admitted.enter_context(room.admit(task, pictures))
                    if stays:
                        held.push(admitted.pop_all())
            except Overloaded:
                assert room.admitted == before
            assert room.admitted <= PLACES

    assert room.admitted == 0
    assert all(has_room(room, task, PLACES) for task in "abc")


@pytest.mark.anyio
async def test_the_batcher_counts_each_task_s_places() -> None:
    async with running(upper, max_pictures=10) as batcher:
        with batcher.admit("flood", 6):
            told = "^6 pictures are waiting, and at most 10 may; task 'flood' has 6 of them, and the 4 free "
            with pytest.raises(Overloaded, match=told), batcher.admit("flood", 1):
                pass
            with batcher.admit("other", 4):
                assert batcher.admitted == 10


def test_what_is_told_is_told_in_full() -> None:
    room = admission()
    with room.admit("a", 50):
        assert str(refusal(room, "a", 50)) == (
            "50 pictures are waiting, and at most 100 may; task 'a' has 50 of them, and the 50 free places "
            "are for other tasks; this request has 50"
        )
        assert str(refusal(room, "a", 51)) == (
            "50 pictures are waiting, and at most 100 may; this request has 51"
        )
