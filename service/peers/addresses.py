"""Where the other processes listen for each other's questions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

UNIX = "unix"


@dataclass(frozen=True)
class Address:
    """A unix socket's path (`host` is empty), or host and port."""

    path: str = ""
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Of `unix:///run/worker-1.sock` or `http://10.0.0.7:40123`. Raises ValueError for anything else."""
        parts = urlsplit(url)
        if parts.scheme == UNIX and parts.path and not parts.netloc:
            return cls(path=parts.path)
        if parts.scheme == "http" and parts.hostname and parts.port and not parts.path.strip("/"):
            return cls(host=parts.hostname, port=parts.port)
        raise ValueError(f"a peer's address is unix:///PATH or http://HOST:PORT, not {url!r}")


class Addresses(Protocol):
    """What knows the other processes. It is asked for every question, so it should not go far itself."""

    async def others(self) -> Sequence[Address | None]:
        """Every process that should be serving but this one; None for one whose address is not known yet."""


class Alone:
    """There is no other process."""

    async def others(self) -> Sequence[Address | None]:
        """None at all."""
        return ()
