import gzip
from collections.abc import Iterator, Sequence
from dataclasses import replace

import anyio
import pytest
from starlette.requests import Request
from starlette.types import Message

from service.errors import (
    BadBody,
    ClientGone,
    Overloaded,
    RequestTooLarge,
    UnreadMediaType,
    UploadTooSlow,
)
from service.http.decoding.fair_threads import FairThreads
from service.http.request.body_bytes import BodyBytes
from service.http.request.body_reader import BodyReader
from service.http.request.limits import RequestLimits
from service.http.request.media_types import Form
from tests.support.threads import RecordedThreads

pytestmark = pytest.mark.anyio
LIMITS = RequestLimits(
    request_bytes=1000,
    picture_bytes=1000,
    pictures=2,
    upload_timeout_ms=60_000,
    default_timeout_ms=1000,
    max_timeout_ms=1000,
)


@pytest.fixture
def reader() -> Iterator[BodyReader]:
    threads = FairThreads(1)
    yield BodyReader(LIMITS, BodyBytes(4000), threads)
    threads.close()


def request(chunks: Sequence[bytes], headers: dict[str, str], *, leaves: bool = False) -> Request:
    messages: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.disconnect"} if leaves else {"type": "http.request", "more_body": False})

    async def receive() -> Message:
        return messages.pop(0)

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "headers": raw}, receive)


async def test_a_body_is_joined_and_held(reader: BodyReader) -> None:
    body = await reader.read(request([b"ab", b"", b"cd"], {}), "task")

    assert (body.data, body.form, reader.budget.held) == (b"abcd", Form.PICTURE, 4)
    body.release()
    assert reader.budget.held == 0


async def test_a_length_told_beforehand_spares_the_reading(reader: BodyReader) -> None:
    with pytest.raises(RequestTooLarge, match="1001 bytes; a request may have 1000"):
        await reader.read(request([], {"content-length": "1001"}, leaves=True), "task")


async def test_a_length_told_beforehand_takes_nothing(reader: BodyReader) -> None:
    waiting, release = anyio.Event(), anyio.Event()

    async def receive() -> Message:
        waiting.set()
        await release.wait()
        return {"type": "http.disconnect"}

    async def read() -> None:
        stalled = request([], {"content-length": "1000"})
        stalled._receive = receive
        with pytest.raises(ClientGone):
            await reader.read(stalled, "task")

    async with anyio.create_task_group() as group:
        for _ in range(25):
            group.start_soon(read)
        await waiting.wait()
        assert reader.budget.held == 0
        release.set()


async def test_a_length_that_does_not_fit_now_is_refused_before_it_is_read(reader: BodyReader) -> None:
    for task in "abc":
        reader.budget.hold(task).add(1000)

    with pytest.raises(Overloaded, match="brings 1000 more"):
        await reader.read(request([], {"content-length": "1000"}, leaves=True), "a")


@pytest.mark.parametrize("size", [1000, 1001])
async def test_a_length_not_told_is_limited_on_the_way(reader: BodyReader, size: int) -> None:
    sent = request([b"x" * 600, b"x" * (size - 600)], {}, leaves=size > 1000)
    if size > 1000:
        with pytest.raises(RequestTooLarge, match="more than the 1000 bytes"):
            await reader.read(sent, "task")
        assert reader.budget.held == 0
    else:
        assert len((await reader.read(sent, "task")).data) == size


async def test_bytes_beyond_the_budget_are_refused_and_given_back(reader: BodyReader) -> None:
    reader.budget.hold("task").add(1500)
    with pytest.raises(Overloaded, match="task 'task' has 1900 of them"):
        await reader.read(request([b"x" * 400, b"x" * 400], {}), "task")

    assert reader.budget.held == 1500


async def test_a_client_that_leaves_while_sending_is_gone(reader: BodyReader) -> None:
    with pytest.raises(ClientGone):
        await reader.read(request([b"x"], {}, leaves=True), "task")
    assert reader.budget.held == 0


async def test_a_body_that_does_not_arrive_is_given_up(reader: BodyReader) -> None:
    stalled = request([], {})
    first: list[Message] = [{"type": "http.request", "body": b"x", "more_body": True}]

    async def receive() -> Message:
        if first:
            return first.pop()
        await anyio.sleep_forever()
        raise AssertionError

    stalled._receive = receive
    with pytest.raises(UploadTooSlow, match="within 10 ms"):
        await replace(reader, limits=replace(LIMITS, upload_timeout_ms=10)).read(stalled, "task")
    assert reader.budget.held == 0


async def test_a_cancelled_reading_holds_nothing(reader: BodyReader) -> None:
    stalled = request([], {})

    async def receive() -> Message:
        if not reader.budget.held:
            return {"type": "http.request", "body": b"x", "more_body": True}
        await anyio.sleep_forever()
        raise AssertionError

    stalled._receive = receive
    with anyio.move_on_after(0.01):
        await reader.read(stalled, "task")
    assert reader.budget.held == 0


@pytest.mark.parametrize("sizes", [(1,) * 700, (300, 300, 300), (900,)])
async def test_what_is_not_read_is_refused_by_its_first_bytes(
    reader: BodyReader, sizes: tuple[int, ...]
) -> None:
    sent = request([b"x" * size for size in sizes], {"content-type": "text/plain"}, leaves=True)

    with pytest.raises(UnreadMediaType):
        await reader.read(sent, "task")
    assert reader.budget.held == 0


async def test_a_short_body_is_told_by_what_there_is(reader: BodyReader) -> None:
    body = await reader.read(request([b'{"ima', b'ges": []}'], {"content-type": "text/plain"}), "task")

    assert body.form is Form.JSON
    with pytest.raises(UnreadMediaType):
        await reader.read(request([b"short"], {"content-type": "text/plain"}), "task")


async def test_a_compressed_body_is_held_as_it_is_inflated(reader: BodyReader) -> None:
    packed = gzip.compress(b"x" * 900)
    body = await reader.read(request([packed[:7], packed[7:]], {"content-encoding": "gzip"}), "task")

    assert (body.data, reader.budget.held) == (b"x" * 900, 900)


@pytest.mark.parametrize("size", [1001, 100_000_000])
async def test_a_bomb_stops_at_the_limit(reader: BodyReader, size: int) -> None:
    bomb = gzip.compress(bytes(size))
    wide = replace(reader, limits=replace(LIMITS, request_bytes=max(1000, len(bomb))))
    with pytest.raises(RequestTooLarge, match="more than the"):
        await wide.read(request([bomb], {"content-encoding": "gzip"}), "task")

    assert reader.budget.held == 0


async def test_a_bomb_stops_at_the_budget(reader: BodyReader) -> None:
    wide = replace(reader, limits=replace(LIMITS, request_bytes=10_000_000))
    with pytest.raises(Overloaded):
        await wide.read(request([gzip.compress(bytes(5000))], {"content-encoding": "gzip"}), "task")

    assert reader.budget.held == 0


async def test_members_of_nothing_are_limited_too(reader: BodyReader) -> None:
    with pytest.raises(RequestTooLarge):
        await reader.read(request([gzip.compress(b"")] * 100, {"content-encoding": "gzip"}), "task")


async def test_a_body_that_is_cut_off_or_not_compressed_is_told(reader: BodyReader) -> None:
    for sent in (gzip.compress(b"x" * 900)[:-3], b"plain"):
        with pytest.raises(BadBody):
            await reader.read(request([sent], {"content-encoding": "gzip"}), "task")
    assert reader.budget.held == 0


async def test_a_coding_that_is_not_read_costs_no_reading(reader: BodyReader) -> None:
    with pytest.raises(UnreadMediaType):
        await reader.read(request([], {"content-encoding": "br"}, leaves=True), "task")


async def test_nothing_compressed_is_no_picture(reader: BodyReader) -> None:
    assert (await reader.read(request([], {"content-encoding": "gzip"}), "task")).data == b""


async def test_a_body_knows_its_task_and_threads(reader: BodyReader) -> None:
    body = await reader.read(request([b"ab"], {"content-type": "image/png"}), "task")

    assert (body.task, body.content_type) == ("task", "image/png")
    assert body.threads is reader.threads
    assert body.limits is reader.limits


async def test_the_first_byte_alone_does_not_tell_the_form(reader: BodyReader) -> None:
    chunks = [b"\xff", b"\xd8\xff\xe0", b"x" * 600]
    body = await reader.read(request(chunks, {"content-type": "text/plain"}), "task")

    assert body.form is Form.PICTURE


async def test_what_tells_the_form_is_looked_at_once_it_is_there(reader: BodyReader) -> None:
    with pytest.raises(UnreadMediaType):
        await reader.read(request([b"x" * 512], {"content-type": "text/plain"}, leaves=True), "task")
    with pytest.raises(ClientGone, match=r"^the client left before its request was complete$"):
        await reader.read(request([b"x" * 511], {"content-type": "text/plain"}, leaves=True), "task")


async def test_a_body_is_inflated_in_its_task_s_turn(reader: BodyReader) -> None:
    threads = RecordedThreads()
    compressed = request([gzip.compress(b"abcd")], {"content-encoding": "gzip"})

    body = await replace(reader, threads=threads).read(compressed, "task")

    assert (body.data, {*threads.tasks}) == (b"abcd", {"task"})
    threads.close()
