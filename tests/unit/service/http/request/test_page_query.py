import pytest

from adapters.store.page import Page
from service.errors import BadQuery
from service.http.request.page_query import MAX_LIMIT, parse_page


def test_without_a_query_a_page_is_as_long_as_it_may_be() -> None:
    assert parse_page(b"") == Page(MAX_LIMIT)


def test_everything_given() -> None:
    assert parse_page(b"limit=3&after=b&prefix=pe&search=t.s") == Page(3, "b", "pe", "t.s")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (b"limit=0", "limit must be a whole number from 1 to 1000"),
        (b"limit=1001", "limit must be"),
        (b"after=A", "after is part of no task's name: 'A'"),
        (b"prefix=a/b", "prefix is part of no task's name"),
        (b"search=%C3%A4", "search is part of no task's name"),
        (b"page=2", "there is no query parameter 'page'; there are limit, after, prefix, search"),
        (b"limit=1&limit=2", "given twice"),
    ],
)
def test_what_is_refused(query: bytes, message: str) -> None:
    with pytest.raises(BadQuery, match=message):
        parse_page(query)
