import base64
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from service.errors import BadBody, NoPicture, RequestTooLarge
from service.http.decoding.fair_threads import FairThreads
from service.http.request import bodies
from service.http.request.bodies import Body
from service.http.request.body_bytes import BodyBytes
from service.http.request.limits import RequestLimits
from service.http.request.media_types import FORM, Form
from tests.support.threads import RecordedThreads

pytestmark = pytest.mark.anyio
LIMITS = RequestLimits(
    request_bytes=200_000,
    picture_bytes=50,
    pictures=2,
    upload_timeout_ms=60_000,
    default_timeout_ms=1000,
    max_timeout_ms=1000,
)
BUDGET = BodyBytes(1_000_000)


@pytest.fixture
def threads() -> Iterator[FairThreads]:
    made = FairThreads(1)
    yield made
    made.close()


@pytest.fixture
def body(threads: FairThreads) -> Body:
    return Body("task", "image/png", LIMITS, threads, BUDGET.hold("task"))


def in_json(*pictures: bytes) -> bytes:
    return json.dumps({"images": [base64.b64encode(data).decode() for data in pictures]}).encode()


async def test_a_raw_body_is_one_picture(body: Body) -> None:
    assert await replace(body, data=b"abcd").pictures() == [b"abcd"]


async def test_a_raw_body_may_be_a_data_url(body: Body) -> None:
    assert await replace(body, data=b"data:image/png;base64,b25l").pictures() == [b"one"]
    with pytest.raises(BadBody, match="the body is not base64"):
        await replace(body, data=b"data:image/png;base64,@").pictures()


@pytest.mark.parametrize("inline_bytes", [0, 1000])
async def test_json_brings_many_on_the_loop_or_on_a_thread(
    body: Body, inline_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "INLINE_BYTES", inline_bytes)

    assert await replace(body, form=Form.JSON, data=in_json(b"one", b"two")).pictures() == [b"one", b"two"]


async def test_multipart_brings_many(body: Body) -> None:
    head = b'--cut\r\nContent-Disposition: form-data; name="images"\r\n\r\n'
    data = head + b"one\r\n" + head + b"two\r\n--cut--\r\n"
    form = replace(body, form=Form.MULTIPART, data=data, content_type='multipart/form-data; boundary="cut"')

    assert await form.pictures() == [b"one", b"two"]


async def test_a_picture_has_a_limit_of_its_own(body: Body) -> None:
    assert await replace(body, data=b"x" * 50).pictures()
    with pytest.raises(RequestTooLarge, match="picture 0 has 51 bytes; a picture may have 50"):
        await replace(body, data=b"x" * 51).pictures()


@pytest.mark.parametrize(("inline_bytes", "tasks"), [(60, []), (59, ["task"])])
async def test_what_is_long_is_decoded_in_the_task_s_turn(
    body: Body, inline_bytes: int, tasks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "INLINE_BYTES", inline_bytes)
    threads = RecordedThreads()
    data = in_json(b"x").ljust(60)

    assert await replace(body, form=Form.JSON, data=data, threads=threads).pictures() == [b"x"]
    assert threads.tasks == tasks
    threads.close()


async def test_the_number_of_parts_is_limited(body: Body) -> None:
    part = b'--cut\r\nContent-Disposition: form-data; name="images"\r\n\r\none\r\n'
    form = replace(body, form=Form.MULTIPART, data=part * 3 + b"--cut--\r\n")
    form.content_type = "multipart/form-data; boundary=cut"
    with pytest.raises(RequestTooLarge, match="more parts than the 2 pictures"):
        await form.pictures()


async def test_the_number_of_pictures_is_limited(body: Body) -> None:
    with pytest.raises(RequestTooLarge, match="3 pictures; a request may have 2"):
        await replace(body, form=Form.JSON, data=in_json(b"x", b"x", b"x")).pictures()


@pytest.mark.parametrize(("form", "data"), [(Form.PICTURE, b""), (Form.JSON, b'{"images": []}')])
async def test_a_request_needs_a_picture(form: Form, data: bytes, body: Body) -> None:
    told = "the request has no picture: the body is empty, or has no part or entry 'images'"
    with pytest.raises(NoPicture, match=f"^{told}$"):
        await replace(body, form=form, data=data).pictures()


async def test_a_picture_that_curl_has_shorn_is_told(body: Body) -> None:
    shorn = replace(body, data=b"\xff\xd8\xff\xe0" + b"x" * 600, limits=replace(LIMITS, picture_bytes=1000))

    assert await shorn.pictures()
    with pytest.raises(BadBody) as refused:
        await replace(
            shorn, content_type=f"{FORM}; charset=utf-8", data=b"\xff\xd8\xff" + b"x" * 600
        ).pictures()
    assert str(refused.value) == (
        "the picture has lost its line breaks and zero bytes, which curl's -d takes out; "
        "use --data-binary @FILE, or -F images=@FILE"
    )


async def test_releasing_gives_back_pictures_and_bytes(body: Body) -> None:
    body.data = b"abcd"
    body.held.add(4)
    pictures = await body.pictures()

    assert body.data == b""
    assert BUDGET.held == 4
    body.release()
    body.release()
    assert (BUDGET.held, pictures, body.data) == (0, [], b"")
