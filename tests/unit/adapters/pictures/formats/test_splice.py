"""A spliced file reads as the three parts one after the other."""

import io

from hypothesis import given
from hypothesis import strategies as st

from adapters.pictures.formats.splice import spliced

PIECES = st.binary(max_size=12)
MOVES = st.lists(st.tuples(st.integers(-5, 40), st.sampled_from([0, 1, 2]), st.integers(-1, 40)), max_size=8)


@given(head=PIECES, data=PIECES, tail=PIECES, start=st.integers(0, 12), stop=st.integers(0, 12), moves=MOVES)
def test_it_reads_as_one_file(
    head: bytes, data: bytes, tail: bytes, start: int, stop: int, moves: list[tuple[int, int, int]]
) -> None:
    start, stop = min(start, len(data)), min(max(start, stop), len(data))
    file, expected = spliced(head, data, start, stop, tail), io.BytesIO(head + data[start:stop] + tail)
    for offset, whence, size in moves:
        place = max((0, expected.tell(), len(expected.getvalue()))[whence] + offset, 0)
        expected.seek(place)
        assert file.seek(offset, whence) == file.tell() == place
        assert file.read(size) == expected.read(size)
        assert file.tell() == expected.tell()
