"""The queries and path parameters of routes that change the store, checked strictly."""

import re
from dataclasses import dataclass

from adapters.config import STABLE
from adapters.errors import InvalidName
from adapters.store.names import check_label_name
from service.errors import BadQuery
from service.http.request.query import MAX_VERSION, integer, pairs

NO_LABEL = "none"
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class PublishQuery:
    """What becomes of an upload: the label it gets, and where it is if it is no body."""

    label: str | None = STABLE
    replace_classes: bool = False
    upload: str | None = None


def parse_publish(query: bytes) -> PublishQuery:
    """The raw query string of a publish. Raises BadQuery."""
    given = pairs(query, ("label", "replace_classes", "upload"))
    upload = given.get("upload")
    return PublishQuery(
        label=None if given.get("label") == NO_LABEL else _label(given.get("label", STABLE)),
        replace_classes=_flag(given, "replace_classes"),
        upload=None if upload is None else sha256_of(upload),
    )


def parse_flag(query: bytes, name: str) -> bool:
    """The one parameter of a raw query string, `true` or `false`. Raises BadQuery."""
    return _flag(pairs(query, (name,)), name)


def no_query(query: bytes) -> None:
    """Raise BadQuery where there is a query."""
    if query:
        raise BadQuery("there are no query parameters here")


def version_of(text: str) -> int:
    """The version in a path. Raises BadQuery."""
    return integer({"version": text}, "version", MAX_VERSION) or 0


def sha256_of(text: str) -> str:
    """The name of an upload. Raises BadQuery."""
    if not SHA256.fullmatch(text):
        raise BadQuery("an upload is named by the SHA-256 of its bytes, in 64 lower-case hex digits")
    return text


def _flag(given: dict[str, str], name: str) -> bool:
    text = given.get(name, "false")
    if text not in ("true", "false"):
        raise BadQuery(f"{name} must be true or false, not {text!r:.80}")
    return text == "true"


def _label(text: str) -> str:
    try:
        return check_label_name(text)
    except InvalidName as error:
        raise BadQuery(str(error)) from error
