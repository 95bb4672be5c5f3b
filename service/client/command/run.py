"""A run of `dvpt-classify`: every file's answer or failure into the record, from there into the output."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from service.client.answers import Answer
from service.client.async_client import AsyncClient
from service.client.calls import Asked, classify, task
from service.client.command.files import Fault, Files
from service.client.command.output import write_answers, write_failures
from service.client.command.record import Record, Row
from service.client.errors import ClientError
from service.client.pictures import Limits
from service.client.stream import Outcome, Window, outcomes

FIRST_CONTACT_S = 10.0


@dataclass(frozen=True)
class Service:
    """Where to ask, and for how long a request is tried."""

    url: str | None
    key: str | None
    patience_s: float


@dataclass(frozen=True)
class Run:
    """What is asked about which files."""

    service: Service
    task: str
    asked: Asked
    window: Window

    async def fill(self, record: Record, files: Files, advance: Callable[[int], object]) -> None:
        """Answer all files that the record has not; `advance` is told how many came to it.

        Raises ClientError for what is not about a picture, and RecordUnusable.
        """
        of, connections = self.service, self.window.concurrency
        async with AsyncClient(
            of.url, key=of.key, deadline_s=of.patience_s, connections=connections
        ) as client:
            # A wrong URL, task or key is told at once.
            await client.send(task(self.task), deadline_s=min(FIRST_CONTACT_S, of.patience_s))
            new = _new(record, files, advance)

            async def ask(pictures: Sequence[bytes]) -> list[Answer]:
                return await client.send(classify(self.task, pictures, self.asked))

            async with aclosing(outcomes(new, ask, self.window, Limits())) as batches:
                async for batch in batches:
                    record.add(map(_row, batch))
                    advance(len(batch))


def write(record: Record, output: Path, top_k: int) -> None:
    """The answers, and beside them the failures, if there are any. Raises OSError and RecordUnusable."""
    write_answers(output, record.rows(failed=False), top_k)
    listed = failures_of(output)
    if record.counts()[1]:
        write_failures(listed, record.rows(failed=True))
    else:
        listed.unlink(missing_ok=True)


def failures_of(output: Path) -> Path:
    """The file beside the output that lists what failed."""
    return output.with_name(f"{output.name}.failures.csv")


def _new(record: Record, files: Files, advance: Callable[[int], object]) -> Iterator[Path]:
    for found in files:
        if isinstance(found, Fault):
            record.add([Row.failed(found.path, found.error)])
            advance(1)
        elif not record.has(found):
            yield found


def _row(outcome: Outcome[Path]) -> Row:
    if outcome.answer is not None:
        return Row.answered(outcome.picture, outcome.answer)
    return Row.failed(outcome.picture, outcome.error or ClientError())
