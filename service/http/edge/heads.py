"""What the parser lets through in a head and a server must not (RFC 9112), and heads without an upgrade."""

from collections.abc import Sequence

from service.errors import RequestError, UnreadHttpVersion, UnreadTransferCoding

Fields = Sequence[tuple[bytes, bytes]]
"""Header fields by lower-case names, as they came."""
UPGRADE = frozenset({b"upgrade", b"http2-settings"})


def check_head(version: str, fields: Fields) -> list[bytes]:
    """The names of the fields. Raises UnreadHttpVersion, UnreadTransferCoding and RequestError."""
    if version not in {"1.1", "1.0"}:
        raise UnreadHttpVersion(f"HTTP/{version} is not spoken here; use HTTP/1.1")
    names = [name for name, _ in fields]
    if names.count(b"host") != 1 and (version == "1.1" or b"host" in names):
        raise RequestError("a request has one Host header")
    if b"transfer-encoding" in names:
        _check_coding(version, [value for name, value in fields if name == b"transfer-encoding"])
    return names


def declared_length(fields: Fields) -> int | None:
    """The body's bytes as declared; None for a body in chunks."""
    if any(name == b"transfer-encoding" for name, _ in fields):
        return None
    return next((int(value) for name, value in fields if name == b"content-length"), 0)


def expects_continue(fields: Fields) -> bool:
    """Whether the client waits to be asked for the body."""
    return any(name == b"expect" and value.lower() == b"100-continue" for name, value in fields)


def head_without_upgrade(method: bytes, url: bytes, version: str, fields: Fields) -> bytes:
    """The head again as that of a client that offers no other protocol (RFC 9110, 7.8)."""
    lines = [b"%s %s HTTP/%s" % (method, url, version.encode())]
    for name, value in fields:
        if name == b"connection":
            lines.append(b"connection: " + b",".join(_staying(value)))
        elif name not in UPGRADE:
            lines.append(name + b": " + value)
    return b"\r\n".join([*lines, b"", b""])


def _staying(options: bytes) -> list[bytes]:
    return [each for each in options.split(b",") if each.strip().lower() not in UPGRADE]


def _check_coding(version: str, values: Sequence[bytes]) -> None:
    if version == "1.0":  # somebody on the way may have read the body by another rule
        raise RequestError("HTTP/1.0 has no Transfer-Encoding")
    if [value.lower() for value in values] != [b"chunked"]:
        raise UnreadTransferCoding("of all transfer codings only 'chunked' is read")
