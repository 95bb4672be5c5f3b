from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.batching.fair_queue import DEFAULT_QUANTUM, FairQueue, _LightTasks
from service.batching.turns import Job, Span

FOREVER = 1e9


def job(task: str, pictures: int, group: str = "g", deadline_s: float = FOREVER) -> Job:
    return Job(group, task, pictures, deadline_s)


def filled(jobs: Sequence[Job]) -> FairQueue[Job]:
    queue: FairQueue[Job] = FairQueue()
    for each in jobs:
        queue.push(each)
    return queue


def take(
    queue: FairQueue[Job], limit: int, now_s: float = 0.0, fixed_pictures: int | None = None
) -> tuple[list[tuple[Job, int]], list[Job]]:
    """A batch as single rows, and the expired jobs."""
    spans, expired = queue.take(limit, now_s, fixed_pictures)
    return [(each, row) for each, first, last in spans for row in range(first, last)], expired


def pictures_of(spans: Sequence[Span[Job]]) -> Counter[str]:
    served: Counter[str] = Counter()
    for each, first, last in spans:
        served[each.task] += last - first
    return served


def assert_counted(queue: FairQueue[Job]) -> None:
    """The queue and its turns count what really waits."""
    total = 0
    for ring in queue._rings.values():
        for turn in ring.values():
            waiting = [each.row_count - each.next_row for each in turn.waiting()]
            assert (turn.jobs, turn.pictures) == (len(waiting), sum(waiting))
            total += turn.pictures
    assert len(queue) == total


def test_an_empty_queue_gives_nothing() -> None:
    queue: FairQueue[Job] = FairQueue()

    assert take(queue, 8) == ([], [])
    assert len(queue) == 0


def test_a_single_task_fills_the_batch_in_order_of_arrival() -> None:
    first, second = job("a", 10), job("a", 10)
    queue = filled([first, second])

    rows, _ = take(queue, 16)

    assert rows == [*((first, row) for row in range(10)), *((second, row) for row in range(6))]
    assert len(queue) == 4


def test_the_oldest_request_chooses_the_group() -> None:
    old, young = job("a", 1, group="old"), job("b", 1, group="young")
    queue = filled([old, young])

    assert take(queue, 8)[0] == [(old, 0)]
    assert take(queue, 8)[0] == [(young, 0)]


def test_a_flood_does_not_keep_a_small_request_waiting() -> None:
    flood, small = job("flood", 1000), job("small", 1)
    queue = filled([flood, small])

    rows, _ = take(queue, 16)

    assert (small, 0) in rows


def test_a_task_waits_for_its_turn_from_its_last_one() -> None:
    flood = [job("flood", 8, group="x") for _ in range(100)]
    queue = filled([*flood, job("small", 1, group="y")])

    groups = [take(queue, 16)[0][0][0].group for _ in range(3)]

    assert groups == ["x", "y", "x"]  # the flood's other requests are older than the small one


def test_a_turn_that_the_batch_cut_short_goes_on_in_the_next() -> None:
    first, second = job("a", 4), job("b", 4)
    queue = filled([first, second])

    assert [row for _, row in take(queue, 6)[0]] == [0, 1, 2, 3, 0, 1]
    queue.push(job("a", 4))
    assert take(queue, 2)[0] == [(second, 2), (second, 3)]


def test_a_flood_lengthens_a_batch_of_others_by_its_fixed_time_at_most() -> None:
    queue = filled([job("flood", 1000), job("light", 1)])

    rows = queue.take(256, 0.0, fixed_pictures=20)[0]

    assert pictures_of(rows) == {"flood": 20, "light": 1}


def test_a_flood_in_a_group_of_its_own_gets_its_turn_and_what_the_other_groups_spend() -> None:
    queue = filled([job("light", 1), job("flood", 1000, group="own")])
    queue.take(256, 0.0, fixed_pictures=20)
    queue.push(job("light", 1))

    assert pictures_of(queue.take(256, 0.1, fixed_pictures=20)[0]) == {"flood": DEFAULT_QUANTUM}
    queue.take(256, 0.2, fixed_pictures=20)
    for group in "xyz":
        queue.push(job(f"light {group}", 1, group=group))
    assert pictures_of(queue.take(256, 0.3, fixed_pictures=20)[0]) == {"flood": 2 * 20}


def test_who_floods_alone_has_the_whole_batch() -> None:
    queue = filled([job("flood", 1000), job("light", 1)])
    queue.take(256, 0.0, fixed_pictures=20)

    assert pictures_of(queue.take(256, 0.5, fixed_pictures=20)[0]) == {"flood": 20}
    assert pictures_of(queue.take(256, 1.5, fixed_pictures=20)[0]) == {"flood": 256}


def test_a_small_request_of_its_own_does_not_hold_a_task_back() -> None:
    queue = filled([job("bulk", 1)])
    queue.take(256, 0.0, fixed_pictures=20)
    queue.push(job("bulk", 300))

    assert pictures_of(queue.take(256, 0.1, fixed_pictures=20)[0]) == {"bulk": 256}


def test_tasks_that_all_have_much_fill_the_batch() -> None:
    queue = filled([job("a", 500), job("b", 200), job("c", 100)])

    assert sum(pictures_of(queue.take(256, 0.0, fixed_pictures=20)[0]).values()) == 256


def test_a_flood_that_expired_does_not_bound_the_next_group() -> None:
    queue = filled([job("light", 1)])
    queue.take(256, 0.0, fixed_pictures=20)
    queue.push(job("flood", 500, deadline_s=0.2))
    for task in "abc":
        queue.push(job(task, 100, group="other"))

    spans, expired = queue.take(64, 0.5, fixed_pictures=0)

    assert [each.task for each in expired] == ["flood"]
    assert sum(pictures_of(spans).values()) == 64


def test_shares_are_even_between_backlogged_tasks() -> None:
    jobs = [job(task, 400) for task in "abc"]
    queue = filled(jobs)

    served: Counter[str] = Counter()
    for _ in range(12):
        rows, _ = take(queue, 32)
        served.update(each.task for each, _ in rows)
        assert max(served.values()) - min(served.values()) <= DEFAULT_QUANTUM


def test_more_requests_do_not_buy_a_larger_share() -> None:
    many = [job("many", 4) for _ in range(50)]
    queue = filled([*many, job("one", 200)])

    rows, _ = take(queue, 64)

    assert Counter(each.task for each, _ in rows) == {"many": 32, "one": 32}


def test_expired_jobs_leave_without_a_place_in_the_batch() -> None:
    late, timely = job("a", 5, deadline_s=1.0), job("a", 2, deadline_s=9.0)
    queue = filled([late, timely])

    rows, expired = take(queue, 8, now_s=2.0)

    assert expired == [late]
    assert rows == [(timely, 0), (timely, 1)]


def test_a_group_of_expired_jobs_makes_way_for_the_next_group() -> None:
    late, other = job("a", 5, group="late", deadline_s=1.0), job("b", 1, group="other")
    queue = filled([late, other])

    rows, expired = take(queue, 8, now_s=2.0)

    assert (rows, expired) == ([(other, 0)], [late])


def test_discarding_counts_only_what_still_waited() -> None:
    each = job("a", 10)
    queue = filled([each])
    take(queue, 4)

    assert queue.discard(each) == 6
    assert queue.discard(each) == 0
    assert take(queue, 4) == ([], [])


def test_jobs_leave_from_anywhere_in_their_task() -> None:
    jobs = [job("a", 1) for _ in range(5)]
    queue = filled(jobs)

    for index in (0, 2, 4):
        assert queue.discard(jobs[index]) == 1
    late = job("a", 1)
    queue.push(late)

    assert take(queue, 8)[0] == [(jobs[1], 0), (jobs[3], 0), (late, 0)]


def test_a_task_that_left_comes_back_behind_the_others() -> None:
    gone = job("a", 1)
    queue = filled([gone, job("b", 1)])
    queue.discard(gone)
    queue.push(job("a", 1))

    assert [each.task for each, _ in take(queue, 8)[0]] == ["b", "a"]


def test_draining_gives_every_job_back() -> None:
    jobs = [job("a", 2), job("b", 3, group="other")]
    queue = filled(jobs)

    assert queue.drain() == jobs
    assert len(queue) == 0


ARRIVALS = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(["g", "h"]), st.integers(1, 12)), max_size=30
)


@given(ARRIVALS, st.integers(1, 16), st.sets(st.integers(0, 29)), st.none() | st.integers(0, 20))
def test_every_picture_is_handed_out_once_or_discarded(
    arrivals: list[tuple[str, str, int]], limit: int, cancelled: set[int], fixed_pictures: int | None
) -> None:
    jobs = [job(task, pictures, group) for task, group, pictures in arrivals]
    queue = filled(jobs)
    discarded = {each: queue.discard(each) for index, each in enumerate(jobs) if index in cancelled}
    seen: Counter[tuple[Job, int]] = Counter()
    assert_counted(queue)

    while rows := take(queue, limit, fixed_pictures=fixed_pictures)[0]:
        assert len(rows) <= limit
        assert len({each.group for each, _ in rows}) == 1
        seen.update(rows)
        assert_counted(queue)

    assert all(count == 1 for count in seen.values())
    for each in jobs:
        handed_out = sum(1 for taken, _ in seen if taken is each)
        assert handed_out + discarded.get(each, 0) == each.row_count
    assert len(queue) == 0


@pytest.mark.parametrize("limit", [1, 7, 64])
def test_nobody_starves(limit: int) -> None:
    jobs = [job(f"task{index}", 3) for index in range(100)]
    queue = filled(jobs)

    batches = 0
    while take(queue, limit)[0]:
        batches += 1

    assert batches == -(-300 // limit)


WAITING = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from("ghi"), st.integers(1, 40)), max_size=40
)


@given(WAITING, WAITING, st.integers(1, 32), st.none() | st.integers(0, 40))
def test_a_lone_picture_waits_for_one_turn_of_each_task_before_it_and_no_longer(
    before: list[tuple[str, str, int]],
    after: list[tuple[str, str, int]],
    limit: int,
    fixed_pictures: int | None,
) -> None:
    queue = filled([job(task, pictures, group) for task, group, pictures in before])
    turns = Counter(group for _, group in {(task, group) for task, group, _ in before})
    lone = job("lone", 1, group="g")
    queue.push(lone)
    for task, group, pictures in after:
        queue.push(job(f"later {task}", pictures, group))

    batches = 0
    while lone.queued:
        take(queue, limit, fixed_pictures=fixed_pictures)
        batches += 1

    assert batches <= 1 + sum(-(-count * DEFAULT_QUANTUM // limit) for count in turns.values())


def test_a_job_that_was_begun_counts_with_its_rest() -> None:
    begun = Job("g", "a", 5, FOREVER, next_row=3)
    queue = filled([begun])

    assert_counted(queue)
    assert take(queue, 8)[0] == [(begun, 3), (begun, 4)]


def test_a_job_that_has_left_says_so() -> None:
    taken, discarded = job("a", 3), job("a", 3)
    queue = filled([taken, discarded])
    queue.discard(discarded)
    take(queue, 8)

    assert [each.queued for each in (taken, discarded)] == [False, False]
    assert taken.next_row == 3
    assert taken.behind is None


def test_a_deadline_is_the_moment_from_which_a_job_is_late() -> None:
    late, waits = job("a", 3, deadline_s=1.0), job("a", 2)
    queue = filled([late, waits, job("b", 40)])

    rows, expired = take(queue, 1, now_s=1.0)

    assert (rows, expired) == ([(waits, 0)], [late])
    assert_counted(queue)


def test_a_turn_with_one_picture_left_goes_on() -> None:
    first, second = job("a", 8), job("b", 8)
    queue = filled([first, second])

    take(queue, DEFAULT_QUANTUM - 1)
    assert take(queue, 2)[0] == [(first, DEFAULT_QUANTUM - 1), (second, 0)]


@pytest.mark.parametrize("sizes", [{"a": 50, "b": 50}, {"a": 40, "b": 30, "c": 30}])
def test_no_more_than_half_of_what_waits_is_no_flood(sizes: dict[str, int]) -> None:
    queue = filled([job("light", 1)])
    take(queue, 8)
    for task, pictures in sizes.items():
        queue.push(job(task, pictures))

    assert len(take(queue, 64, 0.1, fixed_pictures=5)[0]) == 64


def test_who_was_light_in_a_full_batch_is_remembered() -> None:
    queue = filled([job("flood", 1000), job("light", 1)])

    assert pictures_of(queue.take(DEFAULT_QUANTUM + 1, 0.0)[0]) == {"flood": DEFAULT_QUANTUM, "light": 1}
    assert pictures_of(queue.take(256, 0.1, fixed_pictures=20)[0]) == {"flood": 20}


def test_a_batch_of_flood_and_light_beside_another_group_has_the_fixed_time_to_spend() -> None:
    queue = filled([job("flood", 1000), job("light", 1), job("other", 1, group="own")])

    assert pictures_of(queue.take(256, 0.0, fixed_pictures=20)[0]) == {"flood": 20, "light": 1}


def test_the_last_two_light_tasks_are_known() -> None:
    light = _LightTasks()
    assert not light.others("flood", 0.0)
    light.saw("a", 0.0)
    light.saw("b", 0.5)
    light.saw("b", 0.6)

    assert light.others("flood", 1.5)
    assert not light.others("flood", 1.6)  # a second later
    assert light.others("b", 0.9)
    assert not light.others("b", 1.2)  # that was `a`, too long ago


def test_what_expires_halfway_is_counted_by_what_had_not_begun() -> None:
    first, second = job("a", 10, deadline_s=5.0), job("a", 20)
    queue = filled([first, second])
    take(queue, 4)

    rows, expired = take(queue, 8, now_s=6.0)

    assert expired == [first]
    assert rows == [(second, row) for row in range(8)]
    assert len(queue) == 12
    assert_counted(queue)
