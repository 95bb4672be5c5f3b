import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import BadBody, RequestTooLarge
from service.http.request.json_body import json_pictures

MAX_PICTURES = 4


def parse(body: bytes) -> list[bytes]:
    return json_pictures(body, MAX_PICTURES)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[list[bytes], bytes]:
    """Pictures, and one of the ways in which libraries write them as JSON."""
    pictures = draw(st.lists(st.binary(max_size=40), max_size=MAX_PICTURES))
    head = draw(st.sampled_from(["", "data:image/png;base64,"]))
    content = {"images": [head + base64.b64encode(data).decode() for data in pictures]}
    text = json.dumps(content, indent=draw(st.sampled_from([None, 2])))
    if draw(st.booleans()):
        text = text.replace("/", "\\/")  # PHP
    if draw(st.booleans()):
        text = text.replace("+", "\\u002B")  # .NET
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"]))
    return pictures, text.encode(encoding)


@given(bodies())
def test_every_way_of_writing_is_read(drawn: tuple[list[bytes], bytes]) -> None:
    pictures, body = drawn

    assert parse(body) == pictures


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON|does not begin"),
        (b"[" * 100_000, "does not begin with {"),
        (b"[]", "does not begin with {"),
        (b"null", "does not begin with {"),
        (b" " * 100 + b"[]", r'^the body must be \{"images": \["<base64>", …\]\}, not a list$'),
        (b"{}", "nothing else; it has no key"),
        (b'{"image": "eA=="}', "nothing else; it has 'image'"),
        (b'{"images": ["eA=="], "top_k": 3}', "nothing else; it has 'images', 'top_k'"),
        (b'{"images": ["eA=="], "images": ["eQ=="]}', "^a key of the JSON is given twice$"),
        (b'{"images": "eA=="}', '^"images" must be a list of base64 strings$'),
        (b'{"images": [1]}', r"images\[0\] is not a string"),
        (b'{"images": [' + b"1" * 5000 + b"]}", "not JSON"),
        (b'{"images": [1e999999999]}', r"images\[0\] is not a string"),
        (b'{"images": ["eA==", "%%%"]}', r"images\[1\] is not base64: '%' at 0"),
        ('{"images": ["eé"]}'.encode(), r"images\[0\] is not base64: 'é' at 1"),
        (b'{"images": ["data:text/plain,eA=="]}', r"images\[0\] is a data URL, but not of base64"),
        (b'{"images": ["eA=="]} x', "not JSON"),
        (b'{"images": ["eA=="]}\x00', "not JSON"),
        (b"\xff\xfe{", "not JSON"),
    ],
)
def test_what_is_wrong_is_named(body: bytes, message: str) -> None:
    with pytest.raises(BadBody, match=message):
        parse(body)


def test_a_picture_too_many_is_counted() -> None:
    with pytest.raises(RequestTooLarge, match="5 pictures; a request may have 4"):
        parse(json.dumps({"images": ["eA=="] * 5}).encode())


def test_as_many_data_urls_as_pictures_are_allowed_have_room() -> None:
    body = json.dumps({"images": ["data:image/png;base64,eA=="] * 64}).encode()

    assert len(json_pictures(body, 64)) == 64


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of what was parsed."""
    sizes: list[int] = []
    loads = json.loads

    def count(body: bytes, **options: Any) -> object:
        sizes.append(len(body))
        return loads(body, **options)

    monkeypatch.setattr(json, "loads", count)
    return sizes


@pytest.mark.parametrize("value", [b"{}", b"[]", b'""', b"0", b"null", b'{"a":[]}', b"[[[[]]]]"])
def test_values_by_the_thousand_are_refused_before_they_are_parsed(value: bytes, parsed: list[int]) -> None:
    with suppress(BadBody):
        parse(b'{"images": [' + value + b"]}")
    assert len(parsed) == 1

    with pytest.raises(RequestTooLarge, match="more quotes, commas and brackets"):
        parse(b'{"images": [' + b",".join([value] * 10_000) + b"]}")
    assert len(parsed) == 1


def test_deep_nesting_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(RequestTooLarge):
        parse(b'{"images": ' + b"[" * 100_000)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@given(JSON_VALUES | st.fixed_dictionaries({"images": JSON_VALUES}))
def test_any_json_gets_an_answer(content: Any) -> None:
    try:
        pictures = parse(json.dumps(content).encode())
    except (BadBody, RequestTooLarge):
        return
    assert all(isinstance(picture, bytes) for picture in pictures)


@given(st.binary(max_size=80))
def test_any_bytes_get_an_answer(body: bytes) -> None:
    with suppress(BadBody, RequestTooLarge):
        parse(body)


def test_space_before_the_json_is_no_matter() -> None:
    assert parse(b'\n {"images": ["eA=="]}') == [b"x"]


def test_as_many_marks_are_parsed_as_there_is_room_for() -> None:
    allowed = 8 * (MAX_PICTURES + 8)
    with pytest.raises(BadBody, match="not JSON"):
        parse(b"{" + b"," * (allowed - 1))
    with pytest.raises(RequestTooLarge, match=f"than the {allowed} that"):
        parse(b"{" + b"," * allowed)


def test_a_long_key_is_cut() -> None:
    with pytest.raises(BadBody) as refused:
        parse(b'{"' + b"k" * 500 + b'": 1}')
    assert str(refused.value).endswith(" and nothing else; it has '" + "k" * 199)
