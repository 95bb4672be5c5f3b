"""One store of many tasks, the service on it, and clients that know what is right."""

import asyncio
import json
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common.http_load import post, read_answer
from benchmarks.common.running import Running, running
from benchmarks.growth.linked_store import VARIANTS, Variant

PORT = 8129
ALLOWED_ERROR = 0.01  # of a probability: the bank's precision and the batch are not the reference's


@dataclass(frozen=True)
class Measured:
    """One store, what its tasks must answer, and how the service is to be started."""

    root: Path
    names: list[str]
    made: list[Variant]
    picture: bytes
    flags: tuple[object, ...]

    def service(self, *more: object) -> AbstractContextManager[Running]:
        """The service on this store."""
        return running("service.cli", self.root, PORT, *self.flags, *more)

    def right(self, task: str, body: dict[str, Any]) -> bool:
        """Whether this is what the task's adapter answers."""
        variant = self.made[int(task.rpartition("-")[2]) % VARIANTS]
        answer = {each["label"]: each["probability"] for each in body["predictions"][0]["classes"]}
        near = all(abs(answer[name] - variant.answer[name]) <= ALLOWED_ERROR for name in answer)
        return bool(near and answer and body["digest"] == variant.digest)


class Client:
    """One connection that asks about one picture, and counts what went wrong."""

    def __init__(self, measured: Measured) -> None:
        self.measured = measured
        self.wrong: list[str] = []
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, task: str) -> tuple[int, dict[str, Any], float]:
        """Status, answer and seconds of one request."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", PORT)
        reader, writer = self._streams
        began = time.perf_counter()
        writer.write(post(f"/v1/tasks/{task}/classify", "image/jpeg", self.measured.picture))
        status, body = await read_answer(reader)
        return status, json.loads(body), time.perf_counter() - began

    async def ask_right(self, task: str) -> float:
        """Seconds of a request that is to be answered rightly."""
        status, body, seconds = await self.ask(task)
        if status != 200 or not self.measured.right(task, body):
            self.wrong.append(f"{task}: {status} {body}")
        return seconds
