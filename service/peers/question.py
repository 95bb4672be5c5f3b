"""One question to one peer: an HTTP/1.0 request whose answer ends with the connection."""

import asyncio
import json
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from service.peers.addresses import Address

TASK_PATH = "/tasks/"
MOST_ANSWER_BYTES = 1_000_000

Serving = dict[str, int]
"""By label, the version with which a process answers now."""


async def ask_serving(address: Address, task: str) -> Serving:
    """What a peer serves of a task; nothing where it knows no such task. Raises what `ask` raises."""
    return _parse(await ask(address, TASK_PATH + quote(task, safe="")))


async def ask(address: Address, path: str, method: str = "GET") -> Any:
    """The JSON that a peer answers.

    Raises OSError where the peer cannot be reached, ValueError where its answer is none of ours.
    """
    status, body = await _exchange(address, path, method)
    if status != HTTPStatus.OK:
        raise ValueError(f"the peer answered {status}")
    return json.loads(body)


async def _exchange(address: Address, path: str, method: str) -> tuple[int, bytes]:
    if address.path:
        reader, writer = await asyncio.open_unix_connection(address.path)
    else:
        reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        writer.write(f"{method} {path} HTTP/1.0\r\nHost: peer\r\n\r\n".encode())
        answer = await reader.read(MOST_ANSWER_BYTES)
        while answer and (more := await reader.read(MOST_ANSWER_BYTES)):
            answer += more
            if len(answer) > MOST_ANSWER_BYTES:
                raise ValueError("the peer's answer is too long")
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(maxsplit=2)[1]) if head.startswith(b"HTTP/1.") else 0, body


def _parse(answer: Any) -> Serving:
    serving = answer.get("serving") if isinstance(answer, dict) else None
    if not isinstance(serving, dict) or not all(isinstance(version, int) for version in serving.values()):
        raise ValueError("the peer's answer is no answer about a task")
    return serving
