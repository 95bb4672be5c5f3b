"""A file with another start and another end, without a copy of what is between them."""

import io
from typing import IO, cast


class _Spliced(io.RawIOBase):
    def __init__(self, head: bytes, data: bytes, start: int, stop: int, tail: bytes) -> None:
        self._head, self._data, self._tail, self._at = head, data, tail, 0
        self._shift = start - len(head)  # from a place in this file to one in `data`
        self._tail_at = stop - self._shift
        self._end = self._tail_at + len(tail)

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._end}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        first = self._at
        last = self._end if size is None or size < 0 else min(first + size, self._end)
        self._at = max(first, last)
        head, tail_at = len(self._head), self._tail_at
        if head <= first and last <= tail_at:
            return self._data[first + self._shift : last + self._shift]
        if last <= head:
            return self._head[first:last]
        between = slice(max(first, head) + self._shift, max(min(last, tail_at), head) + self._shift)
        tail = self._tail[max(first - tail_at, 0) : max(last - tail_at, 0)]
        return b"".join([self._head[first:last], memoryview(self._data)[between], tail])


def spliced(head: bytes, data: bytes, start: int, stop: int, tail: bytes) -> IO[bytes]:
    """`head`, `data[start:stop]` and `tail` as one file to read."""
    return cast("IO[bytes]", _Spliced(head, data, start, stop, tail))
