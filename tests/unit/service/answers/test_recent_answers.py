"""Answers by request id: bounded, and never another client's."""

from hypothesis import example, given
from hypothesis import strategies as st

from service.answers.recent_answers import Asked, RecentAnswers, the_answer

REQUESTS = st.tuples(
    st.sampled_from(["digits", "pets"]), st.sampled_from(["a", "b", "c"]), st.sampled_from(["", "k1", "k2"])
)


@given(st.lists(REQUESTS), st.integers(0, 4))
@example([("pets", each, "") for each in "abac"], 2)
def test_no_more_than_the_limit_are_kept_and_the_latest_of_them(
    requests: list[tuple[str, str, str]], limit: int
) -> None:
    recent = RecentAnswers(limit)
    for task, request_id, key in requests:
        recent.remember(task, Asked(request_id, key), 1, [0])
    ids = {(task, request_id) for task, request_id, _ in requests}
    assert sum(len(recent.of(*each)) for each in ids) <= limit
    latest = {request[:2]: None for request in reversed(requests)}
    keys = {each: len({request for request in requests if request[:2] == each}) for each in latest}
    for each in latest:  # an id leaves with all its keys' answers, and the oldest first
        limit -= keys[each]
        if limit < 0:
            break
        assert recent.of(*each)


def test_a_request_without_an_id_is_not_remembered() -> None:
    recent = RecentAnswers(3)
    recent.remember("digits", Asked(), 1, [0])
    assert not recent.of("digits", "")


def test_an_id_is_of_a_task() -> None:
    recent = RecentAnswers(3)
    recent.remember("digits", Asked("a"), 1, [0])
    recent.remember("pets", Asked("a"), 2, [3])
    (answer,) = recent.of("pets", "a")
    assert (answer.version, answer.predicted.tolist()) == (2, [3])


def test_a_key_means_its_own_request_and_another_one_the_only_one() -> None:
    recent = RecentAnswers(3)
    recent.remember("digits", Asked("a", "k1"), 1, [0])
    recent.remember("digits", Asked("a", "k2"), 1, [5])
    answers = recent.of("digits", "a")
    found = [the_answer(answers, key) for key in ("k1", "k2", "k3")]
    assert [answer and answer.predicted.tolist() for answer in found] == [[0], [5], None]
    assert the_answer(answers[:1], "k3") is answers[0]


def test_a_request_sent_again_is_the_same_and_an_id_taken_for_another_is_of_none() -> None:
    recent = RecentAnswers(3)
    for _ in range(2):
        recent.remember("digits", Asked("a"), 1, [0, 4])
    (first,) = recent.of("digits", "a")
    assert the_answer([first], "") is first
    recent.remember("digits", Asked("a"), 1, [0, 5])
    (same,) = recent.of("digits", "a")
    assert same is first
    assert the_answer([same], "") is None


def test_of_equal_answers_of_several_processes_the_first_counts() -> None:
    one, other = RecentAnswers(1), RecentAnswers(1)
    for recent in (one, other):
        recent.remember("digits", Asked("a"), 1, [0])
    answers = [*other.of("digits", "a"), *one.of("digits", "a")]
    assert the_answer(answers, "") is answers[1]
    other.remember("digits", Asked("b"), 2, [0])
    assert not other.of("digits", "a")
