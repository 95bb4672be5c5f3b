import itertools

from hypothesis import given
from hypothesis import strategies as st

from service.client.pictures import Limits, in_requests


@given(
    st.lists(st.binary(max_size=30)),
    st.builds(Limits, st.integers(1, 5), st.integers(30, 60), st.just(30)),
)
def test_parts_hold_every_picture_in_order_within_the_limits(pictures: list[bytes], limits: Limits) -> None:
    parts = list(in_requests(pictures, limits))
    assert [picture for part in parts for picture in part] == pictures
    assert all(1 <= len(part) <= limits.pictures for part in parts)
    assert all(sum(map(len, part)) <= limits.request_bytes for part in parts)


@given(st.lists(st.binary(max_size=30), min_size=1), st.integers(1, 5))
def test_no_part_could_take_the_next_picture(pictures: list[bytes], most: int) -> None:
    limits = Limits(most, 60, 30)
    parts = list(in_requests(pictures, limits))
    for part, following in itertools.pairwise(parts):
        full = len(part) == most or sum(map(len, part)) + len(following[0]) > limits.request_bytes
        assert full
