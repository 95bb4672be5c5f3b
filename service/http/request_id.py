"""The id of a request: the client's, where it gave one that is safe in a header and a log, or a new one."""

import os
import re
from collections.abc import Iterable

HEADER = b"x-request-id"
SANE = re.compile(rb"[A-Za-z0-9._~:/+=@-]{1,128}")


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The id that the first `X-Request-Id` of a request's headers gives, or a new one."""
    for name, value in headers:
        if name == HEADER:
            return value.decode() if SANE.fullmatch(value) else new_request_id()
    return new_request_id()


def new_request_id() -> str:
    """32 hexadecimal digits that no other request has."""
    return os.urandom(16).hex()
