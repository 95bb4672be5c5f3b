import pytest

from service.errors import RequestError, UnreadHttpVersion, UnreadTransferCoding
from service.http.edge.heads import check_head, declared_length, head_without_upgrade

HOST = (b"host", b"x")


@pytest.mark.parametrize("fields", [[], [HOST, HOST]])
def test_a_request_has_one_host(fields: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(RequestError, match="one Host"):
        check_head("1.1", fields)


def test_an_old_client_may_name_no_host() -> None:
    check_head("1.0", [])


@pytest.mark.parametrize("version", ["0.9", "2.0", "3.0"])
def test_other_versions_are_not_spoken(version: str) -> None:
    with pytest.raises(UnreadHttpVersion, match=f"HTTP/{version}"):
        check_head(version, [HOST])


@pytest.mark.parametrize("values", [[b"gzip, chunked"], [b"identity"], [b"chunked", b"chunked"]])
def test_no_coding_but_chunks_is_read(values: list[bytes]) -> None:
    with pytest.raises(UnreadTransferCoding):
        check_head("1.1", [HOST, *((b"transfer-encoding", value) for value in values)])


def test_chunks_are() -> None:
    check_head("1.1", [HOST, (b"transfer-encoding", b"Chunked")])
    with pytest.raises(RequestError, match=r"HTTP/1\.0"):
        check_head("1.0", [HOST, (b"transfer-encoding", b"chunked")])


def test_a_body_s_length_is_declared_or_not() -> None:
    assert declared_length([HOST]) == 0
    assert declared_length([HOST, (b"content-length", b"12")]) == 12
    assert declared_length([HOST, (b"transfer-encoding", b"chunked")]) is None


def test_a_head_keeps_all_but_its_upgrade() -> None:
    fields = [
        HOST,
        (b"connection", b"Upgrade, close , HTTP2-Settings"),
        (b"upgrade", b"h2c"),
        (b"http2-settings", b"AAM"),
        (b"content-length", b"3"),
    ]

    assert head_without_upgrade(b"POST", b"/a?b", "1.1", fields) == (
        b"POST /a?b HTTP/1.1\r\nhost: x\r\nconnection:  close \r\ncontent-length: 3\r\n\r\n"
    )
