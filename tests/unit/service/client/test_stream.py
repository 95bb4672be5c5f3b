"""The window of requests: bounded, without losses, and what it does with each kind of failure."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.client.answers import Answer, ClassProbability
from service.client.errors import NotFound, PictureRefused, TooSlow, Unavailable
from service.client.pictures import Limits
from service.client.stream import Outcome, Window, outcomes


def answer(data: bytes) -> Answer:
    best = ClassProbability(0, data.decode(), 1.0)
    return Answer("pets", 1, "d", (best,), None, None, None, "", 0)


async def answering(pictures: Sequence[bytes]) -> list[Answer]:
    """Refuses what is bad, fails where something is poison, and is too slow for more than two."""
    await asyncio.sleep(0)
    for index, data in enumerate(pictures):
        if data.startswith(b"bad"):
            raise PictureRefused(422, "picture_damaged", "bad", index=index)
    if any(data.startswith(b"poison") for data in pictures):
        raise Unavailable(503, "inference_failed", "poison")
    if len(pictures) > 2 and pictures[0].startswith(b"slow"):
        raise TooSlow(504, "deadline_exceeded", "slow")
    return [answer(data) for data in pictures]


async def gathered(pictures: Sequence[bytes], window: Window) -> list[Outcome[bytes]]:
    found = []
    async with aclosing(outcomes(pictures, answering, window, Limits())) as batches:
        async for batch in batches:
            found += batch
    return found


KINDS = st.sampled_from([b"good", b"bad", b"poison", b"slow"])


@given(st.lists(KINDS, max_size=40), st.integers(1, 7), st.integers(1, 4))
def test_each_picture_has_one_outcome_and_the_right_one(
    kinds: list[bytes], batch: int, concurrency: int
) -> None:
    pictures = [b"%s %d" % (kind, number) for number, kind in enumerate(kinds)]
    found = asyncio.run(gathered(pictures, Window(batch, concurrency)))
    assert sorted(outcome.picture for outcome in found) == sorted(pictures)
    for outcome in found:
        if outcome.answer is not None:
            assert outcome.answer.best.label == outcome.picture.decode()
        code = outcome.error and outcome.error.code
        wrong = {b"bad": "picture_damaged", b"poison": "inference_failed"}
        assert code == wrong.get(outcome.picture.split()[0])


def test_no_more_is_read_or_asked_than_the_window_holds() -> None:
    read = asked = most = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        for number in count():
            read += 1
            yield b"%d" % number

    async def ask(pictures: Sequence[bytes]) -> list[Answer]:
        nonlocal asked, most
        asked += 1
        most = max(most, asked)
        await asyncio.sleep(0.001)
        asked -= 1
        return [answer(data) for data in pictures]

    async def some() -> None:
        taken = 0
        async with aclosing(outcomes(endless(), ask, Window(5, 3), Limits())) as batches:
            async for batch in batches:
                taken += len(batch)
                assert read - taken <= 5 * 4
                if taken >= 200:
                    return

    asyncio.run(some())
    assert most == 3


def test_what_is_wrong_with_the_service_ends_it() -> None:
    asked = 0

    async def ask(pictures: Sequence[bytes]) -> list[Answer]:
        nonlocal asked
        asked += len(pictures)
        raise NotFound(404, "task_not_found", "there is no task")

    async def all_of() -> None:
        async for _ in outcomes((b"%d" % number for number in range(1000)), ask, Window(2, 2), Limits()):
            pass

    with pytest.raises(NotFound):
        asyncio.run(all_of())
    assert asked <= 8


def test_files_are_read_up_to_the_bytes_of_a_request(tmp_path: Path) -> None:
    sizes = [40, 40, 40, 90, 101, 10]
    for number, size in enumerate(sizes):
        (tmp_path / f"{number}.png").write_bytes(b"x" * size)
    requests: list[list[int]] = []

    async def ask(pictures: Sequence[bytes]) -> list[Answer]:
        requests.append([len(data) for data in pictures])
        return [answer(data) for data in pictures]

    pictures = [*sorted(tmp_path.iterdir()), tmp_path / "none.png"]

    async def all_of() -> list[Outcome[Path]]:
        return [
            outcome
            async for batch in outcomes(pictures, ask, Window(9, 1), Limits(9, 100, 100))
            for outcome in batch
        ]

    found = asyncio.run(all_of())
    assert requests == [[40, 40], [40], [90, 10]]
    failed = {
        outcome.picture.name: outcome.error and outcome.error.code for outcome in found if outcome.error
    }
    assert failed == {"4.png": "request_too_large", "none.png": "unreadable"}


@pytest.mark.parametrize(("batch", "concurrency"), [(0, 1), (1, 0)])
def test_an_empty_window_is_refused(batch: int, concurrency: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Window(batch, concurrency)
