import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.shares import Shares


def test_what_is_taken_is_counted_by_task() -> None:
    shares = Shares(10)
    shares.take("a", 3)
    shares.take("b", 2)
    shares.take("a", 1)

    assert (shares.limit, shares.taken, shares.free) == (10, 6, 4)
    assert [shares.held(task) for task in "abc"] == [4, 2, 0]


@pytest.mark.parametrize(
    ("held", "amount", "may"), [(0, 10, True), (0, 11, False), (5, 0, True), (5, 1, False), (4, 2, True)]
)
@pytest.mark.parametrize("task", ["a", "b"])
def test_a_task_alone_may_take_more_while_as_much_stays_free(
    task: str, held: int, amount: int, may: bool
) -> None:
    shares = Shares(10)
    shares.take(task, held)

    assert shares.may_take(task, amount) is may
    assert shares.may_take("newcomer", 10 - held)
    assert not shares.may_take("newcomer", 11 - held)


def test_what_others_hold_is_not_free() -> None:
    shares = Shares(10)
    shares.take("a", 4)
    shares.take("b", 2)

    assert shares.may_take("a", 0)
    assert not shares.may_take("a", 1)
    assert shares.may_take("b", 2)
    assert not shares.may_take("b", 3)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), max_size=20))
def test_what_is_given_back_is_free_again(moves: list[tuple[str, int]]) -> None:
    shares = Shares(10)
    for task, amount in moves:
        shares.take(task, amount)
    for task, amount in reversed(moves):
        held = shares.held(task)
        shares.give_back(task, amount)
        assert shares.held(task) == held - amount

    assert (shares.taken, shares.free) == (0, 10)
    assert not shares._held  # nothing is kept of tasks that hold nothing
