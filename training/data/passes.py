"""One pass over the pictures of a split, on as many threads as the process has cores."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tqdm import tqdm

from adapters.cores import available_cores
from training.data.source import Picture, Split

R = TypeVar("R")


def each_picture(
    split: Split, work: Callable[[str, Picture], R], title: str, threads: int = 0
) -> Iterator[R]:
    """`work` of each name and picture, in order, with a bar of that title; 0 threads are one a core."""
    with ThreadPoolExecutor(threads or available_cores()) as pool:
        found = pool.map(work, split.names, split.pictures)
        yield from tqdm(found, title, len(split), disable=None, leave=False)
