"""`If-Match` and `If-None-Match`: what a client takes a label for (RFC 9110, 13.1)."""

import re

from starlette.datastructures import Headers

from adapters.store.labels import ABSENT, PRESENT
from service.errors import RequestError

TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')


def expected_etags(headers: Headers) -> frozenset[str] | None:
    """The ETags of which the label must have one, None where nothing is expected. Raises RequestError.

    A weak one never matches (RFC 9110, 8.8.3.2).
    """
    match, none_match = headers.getlist("if-match"), headers.getlist("if-none-match")
    if match and none_match:
        raise RequestError("If-Match and If-None-Match exclude each other")
    if none_match:
        if [value.strip() for value in none_match] != ["*"]:
            raise RequestError("of If-None-Match only * is read, for a label that is not there yet")
        return frozenset({ABSENT})
    if not match:
        return None
    values = [part.strip() for value in match for part in value.split(",")]
    if values == ["*"]:
        return frozenset({PRESENT})
    found = [TAG.fullmatch(value) for value in values]
    if not all(found):
        raise RequestError('If-Match is * or ETags in quotes, such as "9f0c", with commas between')
    return frozenset(tag.group(2) for tag in found if tag and not tag.group(1) and tag.group(2))
