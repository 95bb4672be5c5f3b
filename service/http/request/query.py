"""The query of a classify request, checked strictly: a typing error must not pass for a default."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl

from adapters.errors import InvalidName
from adapters.store.names import check_label_name
from service.errors import BadQuery
from service.http.classifier import ClassifyQuery

DEFAULT_TOP_K = 5
MAX_TOP_K = 65_536
MAX_VERSION = 999_999_999
PARAMETERS = ("top_k", "version", "label", "timeout_ms", "abstain", "explain")


@dataclass(frozen=True)
class V1Query(ClassifyQuery):
    """What a client of version 1 may choose besides: of how many classes it is told, and if of thresholds."""

    top_k: int
    abstain: bool = True


@lru_cache(maxsize=1024)
def parse_query(query: bytes, default_timeout_ms: int, max_timeout_ms: int) -> V1Query:
    """The raw query string → what it asks for. Raises BadQuery."""
    given = pairs(query, PARAMETERS)
    if "version" in given and "label" in given:
        raise BadQuery("version and label exclude each other: a label names a version")
    return V1Query(
        version=integer(given, "version", MAX_VERSION),
        label=_label(given.get("label")),
        timeout_ms=integer(given, "timeout_ms", max_timeout_ms) or default_timeout_ms,
        top_k=integer(given, "top_k", MAX_TOP_K) or DEFAULT_TOP_K,
        abstain=_switch(given, "abstain", ("on", "off")) != "off",
        explain=_switch(given, "explain", ("true", "false")) == "true",
    )


def pairs(query: bytes, known: Collection[str]) -> dict[str, str]:
    """The raw query string → its parameters. Raises BadQuery for one that is not known, or given twice."""
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, strict_parsing=bool(query), errors="strict"
        )
    except ValueError as error:
        raise BadQuery(f"the query is malformed: {error}") from error
    given = dict(pairs)
    if len(given) != len(pairs):
        raise BadQuery("a query parameter is given twice")
    unknown = sorted(given.keys() - set(known))
    if unknown:
        raise BadQuery(f"there is no query parameter {unknown[0]!r}; there are {', '.join(known)}")
    return given


def integer(given: dict[str, str], name: str, highest: int) -> int | None:
    """A parameter from 1 to `highest`, None where it is not given. Raises BadQuery."""
    text = given.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 12 and 1 <= int(text) <= highest):
        raise BadQuery(f"{name} must be a whole number from 1 to {highest}, not {text!r}")
    return int(text)


def _switch(given: dict[str, str], name: str, words: tuple[str, str]) -> str | None:
    text = given.get(name)
    if text is not None and text not in words:
        raise BadQuery(f"{name} must be {words[0]} or {words[1]}, not {text!r}")
    return text


def _label(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return check_label_name(text)
    except InvalidName as error:
        raise BadQuery(str(error)) from error
