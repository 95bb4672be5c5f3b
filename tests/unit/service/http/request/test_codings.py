import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import BadBody, UnreadMediaType
from service.http.request import codings
from service.http.request.codings import Inflater, inflater_for
from tests.support.threads import RecordedThreads


def raw_deflate(data: bytes) -> bytes:
    made = zlib.compressobj(wbits=-15)
    return made.compress(data) + made.flush()


def two_members(data: bytes) -> bytes:
    return gzip.compress(data[: len(data) // 2]) + gzip.compress(data[len(data) // 2 :])


CODERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "two members": ("gzip", two_members),
    "filled up": ("gzip", lambda data: gzip.compress(data) + bytes(100)),
    "zlib": ("deflate", zlib.compress),
    "raw": ("deflate", raw_deflate),
}


def inflate(coding: str, body: bytes, chunk: int) -> bytes:
    inflater = Inflater(coding)
    pieces = [piece for at in range(0, len(body), chunk) for piece in inflater.pieces(body[at : at + chunk])]
    inflater.end()
    assert all(len(piece) <= codings.PIECE_BYTES for piece in pieces)
    return b"".join(pieces)


@pytest.mark.parametrize("kind", CODERS)
@given(data=st.binary(max_size=500), chunk=st.integers(2, 600))
def test_what_was_compressed_comes_back(kind: str, data: bytes, chunk: int) -> None:
    coding, compress = CODERS[kind]

    assert inflate(coding, compress(data), chunk) == data


@pytest.mark.parametrize("kind", CODERS)
@given(count=st.integers(0, 3000), byte=st.binary(min_size=1, max_size=2), chunk=st.integers(2, 50))
def test_what_waits_within_the_inflater_comes_too(kind: str, count: int, byte: bytes, chunk: int) -> None:
    coding, compress = CODERS[kind]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codings, "PIECE_BYTES", 7)

        assert inflate(coding, compress(byte * count), chunk) == byte * count


@pytest.mark.parametrize("kind", CODERS)
@pytest.mark.parametrize("size", [codings.PIECE_BYTES, codings.PIECE_BYTES + 1, 5_000_000])
def test_a_large_one_comes_in_pieces(kind: str, size: int) -> None:
    coding, compress = CODERS[kind]

    assert inflate(coding, compress(bytes(size)), 65_536) == bytes(size)


def test_a_bomb_is_inflated_no_further_than_it_is_asked() -> None:
    pieces = Inflater("gzip").pieces(gzip.compress(bytes(200_000_000), 9))

    assert len(next(pieces)) == codings.PIECE_BYTES


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_what_is_cut_off_is_told(coding: str) -> None:
    body = gzip.compress(b"x" * 1000) if coding == "gzip" else zlib.compress(b"x" * 1000)

    for end in (0, 1, 5, len(body) - 1):
        with pytest.raises(BadBody, match=f"the {coding} body is cut off"):
            inflate(coding, body[:end], 10)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_what_is_not_compressed_is_told(coding: str) -> None:
    with pytest.raises(BadBody, match=f"not the {coding} it says it is"):
        inflate(coding, b"\xff\xd8\xff\xe0 a picture as it is", 100)


def test_a_damaged_one_is_told() -> None:
    body = bytearray(gzip.compress(bytes(range(256)) * 10))
    body[-6] ^= 1

    with pytest.raises(BadBody, match="not the gzip"):
        inflate("gzip", bytes(body), 100)


def test_members_without_end_are_refused() -> None:
    with pytest.raises(BadBody, match="more behind the end"):
        inflate("gzip", gzip.compress(b"") * (codings.MAX_MEMBERS + 1), 65_536)
    with pytest.raises(BadBody, match="more behind the end"):
        inflate("deflate", zlib.compress(b"x") + b"more", 100)


@pytest.mark.parametrize("given", ["", "identity", "identity, identity", " "])
def test_a_body_as_it_is_needs_no_inflating(given: str) -> None:
    assert inflater_for({"content-encoding": given} if given else {}) is None


@pytest.mark.parametrize("given", ["gzip", "GZIP", "x-gzip", "deflate", "identity, gzip"])
def test_codings_that_are_read(given: str) -> None:
    assert inflater_for({"content-encoding": given}) is not None


@pytest.mark.parametrize("given", ["br", "zstd", "compress", "gzip, gzip", "gzip, br", "none"])
def test_codings_that_are_not_read_are_named(given: str) -> None:
    what = "is more than one" if "," in given else "is not read"
    with pytest.raises(UnreadMediaType) as refused:
        inflater_for({"content-encoding": given})
    told = f"content coding {given!r} {what}; send the body in one of gzip, deflate, or none"
    assert (str(refused.value), refused.value.codings) == (told, "gzip, deflate")


@given(st.binary(max_size=100), st.sampled_from(["gzip", "deflate"]))
def test_any_bytes_get_an_answer(body: bytes, coding: str) -> None:
    try:
        inflate(coding, body, 7)
    except BadBody:
        return


@pytest.mark.anyio
@pytest.mark.parametrize(("pieces", "turns"), [(0, 1), (3, 1), (4, 2), (5, 2), (8, 3)])
async def test_a_thread_inflates_a_few_pieces_in_its_turn(
    pieces: int, turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codings, "PIECE_BYTES", 100)
    monkeypatch.setattr(codings, "TURN_PIECES", 4)
    threads = RecordedThreads()

    body = gzip.compress(bytes(100 * pieces))
    inflated = [piece async for piece in Inflater("gzip").inflate(body, threads, "task")]

    assert inflated == [bytes(100)] * pieces
    assert threads.tasks == ["task"] * turns
    threads.close()


@pytest.mark.parametrize(
    ("start", "bits"),
    [
        (b"\x78\x9c", codings.ZLIB),
        (b"\x78\x9c\x01", codings.ZLIB),
        (b"\x78", codings.ZLIB),  # the second byte will tell
        (b"\x78\x9d", codings.RAW),
        (b"\x78\x9d\x01", codings.RAW),
        (b"\x1f\x00", codings.RAW),  # a multiple of 31, but not of that method
        (b"\x1f", codings.RAW),
    ],
)
def test_a_frame_is_told_by_its_two_bytes(start: bytes, bits: int) -> None:
    assert codings._deflate_bits(start) == bits
