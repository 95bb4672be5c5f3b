from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from service.http.decoding.turns import LEAST_S, Job, ThreadTurns


def run(turns: ThreadTurns[Job], costs_s: dict[str, float], steps: int) -> list[str]:
    """Take and end so many steps one after another; whose they were."""
    taken = []
    for _ in range(steps):
        begun = turns.take()
        assert begun is not None
        taken.append(begun[0].task)
        turns.ended(begun[0].task, costs_s[begun[0].task])
    return taken


def test_steps_of_a_job_come_in_order_and_end() -> None:
    turns: ThreadTurns[Job] = ThreadTurns()
    turns.push(Job("a", 3))

    assert turns.waiting == 3
    assert [turns.take()[1] for _ in range(3)] == [0, 1, 2]  # type: ignore[index]
    assert turns.take() is None
    assert (turns.waiting, turns.running) == (0, 3)


def test_a_late_task_does_not_wait_for_the_flood_before_it() -> None:
    turns: ThreadTurns[Job] = ThreadTurns()
    turns.push(Job("flood", 1000))
    run(turns, {"flood": 0.1}, 50)
    turns.push(Job("small", 1))

    assert "small" in run(turns, {"flood": 0.1, "small": 0.001}, 2)


def test_threads_are_shared_by_time_and_not_by_pictures() -> None:
    turns: ThreadTurns[Job] = ThreadTurns()
    turns.push(Job("large", 100))
    turns.push(Job("small", 100))

    taken = run(turns, {"large": 0.1, "small": 0.01}, 55)

    assert 4 <= taken.count("large") <= 6


def test_many_requests_are_no_more_than_one() -> None:
    turns: ThreadTurns[Job] = ThreadTurns()
    for _ in range(20):
        turns.push(Job("many", 5))
    turns.push(Job("one", 100))

    assert abs(run(turns, {"many": 0.1, "one": 0.1}, 40).count("many") - 20) <= 1


def test_threads_that_take_at_once_do_not_all_go_to_one_task() -> None:
    turns: ThreadTurns[Job] = ThreadTurns()
    for task in "ab":
        turns.push(Job(task, 10))

    assert {turns.take()[0].task for _ in range(2)} == {"a", "b"}  # type: ignore[index]


def test_a_task_that_was_away_is_owed_nothing_for_it() -> None:
    turns: ThreadTurns[Job] = ThreadTurns()
    turns.push(Job("back", 1))
    turns.push(Job("busy", 1000))
    run(turns, {"back": 0.1, "busy": 0.1}, 100)
    turns.push(Job("back", 100))

    assert abs(run(turns, {"back": 0.1, "busy": 0.1}, 20).count("back") - 10) <= 1


def test_a_task_cannot_shed_what_it_took_by_asking_one_at_a_time() -> None:
    turns: ThreadTurns[Job] = ThreadTurns()
    turns.push(Job("steady", 1000))
    spent = {"steady": 0.0, "sly": 0.0}
    last = "sly"
    for _ in range(200):
        if last == "sly":  # answered: it asks again
            turns.push(Job("sly", 1))
        begun = turns.take()
        assert begun is not None
        last = begun[0].task
        cost_s = 0.5 if last == "sly" else 0.05
        spent[last] += cost_s
        turns.ended(last, cost_s)

    assert abs(spent["sly"] - spent["steady"]) < 1.0


def test_what_left_is_not_taken() -> None:
    turns: ThreadTurns[Job] = ThreadTurns()
    leaving, staying = Job("a", 5), Job("a", 1)
    turns.push(leaving)
    turns.push(staying)
    turns.take()
    turns.discard(leaving)
    turns.discard(leaving)

    assert turns.waiting == 1
    assert turns.take() == (staying, 0)
    assert turns.take() is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4), st.floats(0, 1)), max_size=40))
def test_every_step_is_taken_once_and_nobody_falls_behind(jobs: list[tuple[str, int, float]]) -> None:
    turns: ThreadTurns[Job] = ThreadTurns()
    made = [Job(task, steps) for task, steps, _ in jobs]
    for job in made:
        turns.push(job)
    waits = {task: sum(job.step_count for job in made if job.task == task) for task in "abc"}
    spent = dict.fromkeys("abc", 0.0)
    costs = [cost for _, _, cost in jobs] or [0.0]
    for number in range(sum(waits.values())):
        before = {task: spent[task] for task in "abc" if waits[task]}
        begun = turns.take()
        assert begun is not None
        task = begun[0].task
        # All came at once: the next is the one that has had the least, but for what a step costs at least.
        assert spent[task] <= min(before.values()) + LEAST_S * (number + 1)
        cost_s = costs[number % len(costs)]
        waits[task] -= 1
        spent[task] += max(LEAST_S, cost_s)
        turns.ended(task, cost_s)

    assert turns.take() is None
    assert (turns.waiting, turns.running) == (0, 0)
    assert all(job.next_step == job.step_count for job in made)


def test_ties_take_turns() -> None:
    turns: ThreadTurns[Job] = ThreadTurns()
    for task in "ab":
        turns.push(Job(task, 10))

    assert all(one != other for one, other in pairwise(run(turns, {"a": 0.0, "b": 0.0}, 20)))
