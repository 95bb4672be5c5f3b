import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import Overloaded
from service.http.request.body_bytes import RETRY_AFTER_S, BodyBytes


def test_bytes_are_held_until_they_are_released() -> None:
    budget = BodyBytes(100)
    one, two = budget.hold("a"), budget.hold("b")
    one.add(20)
    one.add(20)
    two.add(5)

    assert budget.held == 45
    one.release()
    one.release()
    assert budget.held == 5
    two.release()
    assert budget.held == 0


def test_one_task_alone_gets_half_and_the_rest_is_for_others() -> None:
    budget = BodyBytes(100)
    budget.hold("a").add(50)

    with pytest.raises(
        Overloaded, match=r"task 'a' has 50 of them, and the 50 free ones are for other tasks"
    ):
        budget.hold("a").add(1)
    budget.hold("b").add(25)
    with pytest.raises(Overloaded):
        budget.hold("b").add(1)
    budget.hold("c").add(12)


def test_more_than_there_is_at_all_is_refused_with_what_was_found() -> None:
    budget = BodyBytes(100)
    budget.hold("a").add(50)

    with pytest.raises(Overloaded, match=r"bodies of 50 bytes .* at most 100 .* brings 51 more$") as refused:
        budget.hold("b").add(51)
    assert refused.value.retry_after_s > 0


def test_an_announcement_takes_nothing_but_is_refused_if_it_cannot_fit() -> None:
    budget = BodyBytes(100)
    for _ in range(25):
        budget.hold("a").expect(100)
    assert budget.held == 0

    budget.hold("b").add(1)
    with pytest.raises(Overloaded):
        budget.hold("a").expect(100)


def test_what_is_refused_is_not_taken() -> None:
    budget = BodyBytes(100)
    held = budget.hold("a")
    held.add(40)
    with pytest.raises(Overloaded):
        held.add(61)

    held.release()
    assert budget.held == 0


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.integers(0, 60)), max_size=60))
def test_the_sum_never_passes_the_budget_and_comes_back_to_nothing(
    moves: list[tuple[str, int, int]],
) -> None:
    budget = BodyBytes(100)
    requests = {(task, number): budget.hold(task) for task in "abc" for number in range(10)}
    for task, number, size in moves:
        try:
            requests[task, number].add(size)
        except Overloaded:
            requests[task, number].release()
        assert 0 <= budget.held <= 100
    for request in requests.values():
        request.release()
    assert budget.held == 0


def test_what_was_released_is_free_for_the_same_task_again() -> None:
    budget = BodyBytes(100)
    held = budget.hold("a")
    held.add(50)
    held.release()

    budget.hold("a").add(100)


def test_what_is_told_is_told_in_full() -> None:
    budget = BodyBytes(100)
    budget.hold("a").add(50)

    with pytest.raises(Overloaded) as refused:
        budget.hold("a").expect(50)
    assert str(refused.value) == (
        "bodies of 50 bytes are in memory, and at most 100 may be; task 'a' has 50 of them, and the 50 free "
        "ones are for other tasks; this request brings 50 more"
    )
    assert refused.value.retry_after_s == RETRY_AFTER_S
    with pytest.raises(Overloaded) as refused:
        budget.hold("a").expect(51)
    assert str(refused.value) == (
        "bodies of 50 bytes are in memory, and at most 100 may be; this request brings 51 more"
    )
