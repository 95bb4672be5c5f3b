import base64
import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import BadBody
from service.http.request import base64_text
from service.http.request.base64_text import decode_base64

DATA = b"\xfb\xff\xbe\x00picture\xff"


@st.composite
def dialects(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Bytes, and one of the ways in which encoders write them."""
    data = draw(st.binary(max_size=120))
    text = base64.urlsafe_b64encode(data) if draw(st.booleans()) else base64.b64encode(data)
    if draw(st.booleans()):
        text = text.rstrip(b"=")
    width = draw(st.integers(1, 80))
    between = draw(st.sampled_from([b"", b"\n", b"\r\n", b" ", b"\t"]))
    text = between.join(text[at : at + width] for at in range(0, len(text), width))
    text += draw(st.sampled_from([b"", b"\n", b"\r\n"]))
    heads = [b"", b"data:image/png;base64,", b"data:;base64,", b"DATA:image/jpeg;name=a.jpg;Base64,"]
    return data, draw(st.sampled_from(heads)) + text


@given(dialects())
def test_every_dialect_is_read(drawn: tuple[bytes, bytes]) -> None:
    data, text = drawn

    assert decode_base64(text, "it") == data


@given(drawn=dialects())
def test_what_is_decoded_in_steps_is_the_same(drawn: tuple[bytes, bytes]) -> None:
    data, text = drawn
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base64_text, "STEP_CHARACTERS", 8)

        assert decode_base64(text, "it") == data


def test_data_urls_may_be_percent_encoded() -> None:
    text = base64.b64encode(DATA).replace(b"+", b"%2B").replace(b"/", b"%2F").replace(b"=", b"%3D")

    assert decode_base64(b"data:image/png;base64," + text, "it") == DATA


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"%%%", "it is not base64: '%' at 0 is none of its characters"),
        (b"eAA\n@", "'@' at 4"),
        (b"eA\x00=", "'\\x00' at 2"),
        (b"eA==eA==", "there is more behind its padding '='"),
        (b"eA===", "it ends in more than two '='"),
        (b"=", ""),
        (b"eHh4e", "at 5 characters it is cut off, or has one too many"),
        (b"data:image/png,abc", "a data URL, but not of base64"),
        (b"data:image/png;base64", "a data URL, but not of base64"),
        (b"data:image/png;base64,@", "'@' at 0"),
    ],
)
def test_what_is_wrong_is_told(text: bytes, message: str) -> None:
    if message:
        with pytest.raises(BadBody, match=re.escape(message)):
            decode_base64(text, "it")
    else:
        assert decode_base64(text, "it") == b""


@given(st.binary(max_size=60))
def test_any_bytes_get_an_answer(text: bytes) -> None:
    with suppress(BadBody):
        assert len(decode_base64(text, "it")) <= len(text)


@pytest.mark.parametrize("step", [4, 8])
def test_padding_at_a_step_s_end_does_not_pass(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base64_text, "STEP_CHARACTERS", step)

    with pytest.raises(BadBody, match="behind its padding"):
        decode_base64(b"eHh4eA==eHh4", "it")


@pytest.mark.parametrize("digit", [b"A", b"X", b"Z", b"9"])
def test_only_padding_is_cut_off_at_the_end(digit: bytes) -> None:
    text = b"AAA" + digit

    assert decode_base64(text + b"\n", "it") == base64.b64decode(text)
