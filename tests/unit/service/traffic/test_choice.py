"""Which label a request goes to: shares, and what a key keeps."""

from hypothesis import example, given
from hypothesis import strategies as st

from adapters.store.label_rules import LabelRules, LabelThresholds, LabelTraffic
from service.traffic.choice import chosen, point

SHARES = st.floats(0, 1)


def rules(**shares: float) -> dict[str, LabelRules]:
    return {label: LabelRules(traffic=LabelTraffic(canary_share=share)) for label, share in shares.items()}


@given(st.binary(max_size=40), st.text("abc", min_size=1, max_size=3))
def test_a_key_stands_at_one_point(key: bytes, task: str) -> None:
    assert 0 <= point(task, key) < 1
    assert point(task, key) == point(task, bytes(bytearray(key)))


def test_points_are_the_same_in_every_release() -> None:
    """They were written down: another hash would move every client to another version."""
    assert [round(point("digits", key), 6) for key in (b"", b"user-1", b"user-2")] == [
        0.751114,
        0.081176,
        0.768774,
    ]


@given(SHARES, SHARES, st.binary(max_size=20))
@example(0.05, 0.1, b"user-1")
def test_who_is_on_a_label_stays_there_when_its_share_grows(small: float, large: float, key: bytes) -> None:
    small, large = sorted((small, large))
    if chosen(rules(canary=small), point("digits", key)):
        assert chosen(rules(canary=large), point("digits", key)) == "canary"


@given(st.lists(st.floats(0, 0.3), min_size=3, max_size=3), st.floats(0, 1, exclude_max=True))
def test_labels_lie_side_by_side_by_name(shares: list[float], at: float) -> None:
    first, second, third = shares
    label = chosen(rules(b=second, c=third, a=first), at)
    ends = [first, first + second, first + second + third]
    assert label == next((name for name, end in zip("abc", ends, strict=True) if at < end), None)


def test_a_share_of_keys_is_that_share_of_them() -> None:
    keys = [f"user-{number}".encode() for number in range(20_000)]
    for share in (0.01, 0.05, 0.5):
        hits = sum(chosen(rules(canary=share), point("digits", key)) is not None for key in keys)
        deviation = (share * (1 - share) * len(keys)) ** 0.5
        assert abs(hits - share * len(keys)) < 4 * deviation


def test_two_tasks_try_their_canaries_on_different_keys() -> None:
    keys = [f"user-{number}".encode() for number in range(2000)]
    both = sum(point("digits", key) < 0.5 and point("pets", key) < 0.5 for key in keys)
    assert 400 < both < 600


def test_none_and_all() -> None:
    without = {"stable": LabelRules(thresholds=LabelThresholds(default=0.5))}
    assert chosen(without, 0.0) is None
    assert chosen(rules(canary=0.0), 0.0) is None
    assert chosen(rules(canary=1.0), 1 - 2**-53) == "canary"
