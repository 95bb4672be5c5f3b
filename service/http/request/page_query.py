"""The query of a list of tasks, checked strictly."""

from string import ascii_lowercase, digits

from adapters.store.page import Page
from service.errors import BadQuery
from service.http.request.query import integer, pairs

MAX_LIMIT = 1000
ALLOWED = frozenset(ascii_lowercase + digits + "._-")
PARAMETERS = ("limit", "after", "prefix", "search")


def parse_page(query: bytes) -> Page:
    """The raw query string → which tasks are asked for; all that a page holds by default. Raises BadQuery."""
    given = pairs(query, PARAMETERS)
    for name in PARAMETERS[1:]:
        if name in given and not set(given[name]) <= ALLOWED:
            raise BadQuery(f"{name} is part of no task's name: {given[name]!r:.80}")
    limit = integer(given, "limit", MAX_LIMIT) or MAX_LIMIT
    return Page(limit, given.get("after", ""), given.get("prefix", ""), given.get("search", ""))
