import pytest

from service.errors import BadQuery
from service.http.request.management_query import (
    PublishQuery,
    no_query,
    parse_flag,
    parse_publish,
    sha256_of,
    version_of,
)

SHA = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (b"", PublishQuery()),
        (b"label=canary&replace_classes=true", PublishQuery("canary", replace_classes=True)),
        (b"label=none", PublishQuery(None)),
        (f"upload={SHA}".encode(), PublishQuery(upload=SHA)),
    ],
)
def test_what_a_publish_may_say(query: bytes, found: PublishQuery) -> None:
    assert parse_publish(query) == found


@pytest.mark.parametrize(
    "query",
    [b"label=", b"label=3", b"label=A", b"label=a&label=b", b"replace_classes=yes", b"upload=../x",
     b"force=true", b"upload=", b"label=%2e%2e"],
)  # fmt: skip
def test_what_a_publish_may_not_say(query: bytes) -> None:
    with pytest.raises(BadQuery):
        parse_publish(query)


def test_flags_versions_and_names_of_uploads() -> None:
    assert (parse_flag(b"", "force"), parse_flag(b"force=true", "force")) == (False, True)
    assert parse_flag(b"force=false", "force") is False
    assert version_of("12") == 12
    assert sha256_of(SHA) == SHA
    no_query(b"")
    for wrong in ("0", "-1", "1.0", "x", "1" * 13, "٣"):
        with pytest.raises(BadQuery):
            version_of(wrong)
    for wrong in (SHA.upper(), SHA[:-1], f"{SHA}\n", "../../etc"):
        with pytest.raises(BadQuery):
            sha256_of(wrong)
    with pytest.raises(BadQuery):
        no_query(b"x")
    with pytest.raises(BadQuery):
        parse_flag(b"forced=true", "force")
