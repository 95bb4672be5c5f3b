"""Where a service is, the key it is asked with, and how long a request may take."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from adapters.environment import variable
from service.client.calls import Call
from service.client.errors import NoAnswer
from service.client.retries import left_s

URL = "http://127.0.0.1:8000"
CONNECT_S = 10.0
SEND_S = 60.0
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


@dataclass(frozen=True)
class Address:
    """A service's URL, with a proxy's prefix where there is one, and a key."""

    url: str
    key: str | None

    @classmethod
    def of(cls, url: str | None, key: str | None) -> "Address":
        """As given, else from `DVPT_URL` and `DVPT_KEY`, else this machine's service without a key.

        Raises ValueError for a URL that is none.
        """
        given = url or variable("DVPT_URL") or URL
        try:
            parsed = httpx.URL(given)
        except httpx.InvalidURL as error:
            raise ValueError(f"{given!r} is no URL: {error}") from error
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise ValueError(f"{given!r} is no URL such as {URL}")
        return cls(given, key or variable("DVPT_KEY"))

    def options(self, connections: int) -> dict[str, Any]:
        """What httpx's clients are made with."""
        headers = {"accept": "application/json, application/problem+json", "user-agent": "dvpt-client"}
        if self.key is not None:
            headers["authorization"] = f"Bearer {self.key}"
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        return {"base_url": self.url, "headers": headers, "limits": limits}


def asked(call: Call[Any], ends: float) -> Mapping[str, Any]:
    """A call as httpx's clients send it, so that no part of it waits beyond the deadline."""
    left = left_s(ends)
    return {
        "method": call.method,
        "url": call.path,
        "params": call.query,
        "headers": call.headers,
        "content": call.content,
        "json": call.json,
        "timeout": httpx.Timeout(
            connect=min(CONNECT_S, left), write=min(SEND_S, left), read=min(call.answer_s, left), pool=left
        ),
    }


def no_answer(error: httpx.HTTPError, url: str) -> NoAnswer:
    """What httpx raised, in the client's own words."""
    why = str(error) or type(error).__name__
    return NoAnswer(f"{url} gave no answer: {why}", sent=not isinstance(error, NOT_SENT))
