import pytest
from starlette.datastructures import Headers

from adapters.store.labels import ABSENT, PRESENT
from service.errors import RequestError
from service.http.request.preconditions import expected_etags


def expected(*fields: tuple[str, str]) -> frozenset[str] | None:
    return expected_etags(Headers(raw=[(name.encode(), value.encode()) for name, value in fields]))


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ([], None),
        ([("if-match", '"9f0c"')], {"9f0c"}),
        ([("if-match", '"a", "b"'), ("if-match", '"c"')], {"a", "b", "c"}),
        ([("if-match", "*")], {PRESENT}),
        ([("if-match", 'W/"a"')], set()),
        ([("if-match", '""')], set()),  # no label has it, and it must not pass for one that is not there
        ([("if-none-match", " * ")], {ABSENT}),
    ],
)
def test_what_a_client_expects(fields: list[tuple[str, str]], found: set[str] | None) -> None:
    assert expected(*fields) == found


@pytest.mark.parametrize(
    "fields",
    [
        [("if-match", "9f0c")],
        [("if-match", '"a" "b"')],
        [("if-match", '"a", *')],
        [("if-match", "")],
        [("if-none-match", '"a"')],
        [("if-none-match", "*"), ("if-match", "*")],
    ],
)
def test_what_cannot_be_told_is_refused(fields: list[tuple[str, str]]) -> None:
    with pytest.raises(RequestError):
        expected(*fields)
