import pytest

from service.errors import BadQuery
from service.http.request.query import DEFAULT_TOP_K, V1Query, parse_query


def parse(query: str) -> V1Query:
    return parse_query(query.encode(), 1000, 5000)


def test_an_empty_query_means_the_defaults() -> None:
    assert parse("") == V1Query(None, None, 1000, top_k=DEFAULT_TOP_K)


def test_everything_given() -> None:
    assert parse("top_k=3&label=canary&timeout_ms=5000") == V1Query(None, "canary", 5000, top_k=3)
    assert parse("").abstain
    assert not parse("abstain=off").abstain
    assert [parse(query).explain for query in ("", "explain=false", "explain=true")] == [False, False, True]
    assert parse("version=12").version == 12
    assert parse("version=1&top_k=1") == V1Query(1, None, 1000, top_k=1)
    assert parse("version=999999999&top_k=65536") == V1Query(999_999_999, None, 1000, top_k=65_536)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("top_k=0", "top_k must be a whole number from 1"),
        ("top_k=-1", "top_k must be"),
        ("top_k=1.5", "top_k must be"),
        ("top_k=", "top_k must be"),
        ("top_k=%D9%A3", "top_k must be"),
        ("top_k=99999999999999999999", "top_k must be"),
        ("version=0", "version must be"),
        ("version=latest", "^version must be a whole number from 1 to 999999999, not 'latest'$"),
        ("explain=on", "^explain must be true or false, not 'on'$"),
        ("timeout_ms=5001", "timeout_ms must be a whole number from 1 to 5000"),
        ("label=Canary", "not allowed"),
        ("label=7", "is a number"),
        ("label=", "not allowed"),
        ("label=..%2F..", "not allowed"),
        ("version=1&label=stable", "^version and label exclude each other: a label names a version$"),
        ("abstain=no", "^abstain must be on or off, not 'no'$"),
        (
            "topk=3",
            "^there is no query parameter 'topk'; "
            "there are top_k, version, label, timeout_ms, abstain, explain$",
        ),
        ("top_k=3&top_k=4", "^a query parameter is given twice$"),
        ("top_k", "malformed"),
        ("top_k=%FF", "malformed"),
    ],
)
def test_whatever_is_wrong_is_named(query: str, message: str) -> None:
    with pytest.raises(BadQuery, match=message):
        parse(query)


def test_bytes_beyond_ascii_are_refused() -> None:
    with pytest.raises(BadQuery, match=r"^the query is malformed: 'ascii' codec can't decode"):
        parse_query(b"label=\xff", 1000, 5000)
