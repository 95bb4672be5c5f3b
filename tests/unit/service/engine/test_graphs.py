"""On a CPU a pass is captured by running it again into the same place, which is what a CUDA graph does."""

import logging
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.layout import Layout
from adapters.kinds.linear.options import LinearOptions
from service.engine.graphs import BUCKETS, Captured, Graphs, bucket_of

CPU = torch.device("cpu")
BARE = Layout(LinearOptions())
SIZE = 4


class Recorder:
    """Captures by running again, and remembers what was captured."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.replays = 0

    def __call__(self, run: Callable[[], Tensor]) -> Captured:
        result = run()
        self.rows.append(len(result))

        def replay() -> None:
            self.replays += 1
            result.copy_(run())

        return Captured(result, replay)


def sums(layout: Layout, images: Tensor, index: Tensor) -> Tensor:
    """A pass whose answer tells pictures and rows apart."""
    del layout
    return images.float().sum(dim=(1, 2, 3)).unsqueeze(1) + 1000 * index.unsqueeze(1)


def new_graphs(recorder: Recorder, most_layouts: int = 2, most_rows: int = 64) -> Graphs:
    return Graphs(sums, recorder, CPU, SIZE, most_layouts=most_layouts, most_rows=most_rows)


def batch(count: int) -> tuple[Tensor, Tensor]:
    images = torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, SIZE, SIZE)
    return images, torch.arange(count) + 1


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 33, 64])
def test_a_replay_answers_as_the_pass_itself(count: int) -> None:
    graphs, (images, index) = new_graphs(Recorder()), batch(count)
    for _ in range(2):
        torch.testing.assert_close(graphs.features(BARE, images, index), sums(BARE, images, index))


def test_rows_of_an_earlier_batch_do_not_show() -> None:
    recorder = Recorder()
    graphs = new_graphs(recorder)
    graphs.features(BARE, *batch(8))
    images, index = batch(5)
    torch.testing.assert_close(graphs.features(BARE, images, index), sums(BARE, images, index))
    assert recorder.rows == [8]
    assert recorder.replays == 2


def test_rows_that_fill_a_bucket_up_are_of_the_null_slot() -> None:
    seen: list[list[int]] = []

    def watched(layout: Layout, images: Tensor, index: Tensor) -> Tensor:
        seen.append(index.tolist())
        return sums(layout, images, index)

    graphs = Graphs(watched, Recorder(), CPU, SIZE, most_layouts=1, most_rows=8)
    graphs.features(BARE, *batch(8))
    graphs.features(BARE, *batch(5))
    assert seen[-1] == [1, 2, 3, 4, 5, 0, 0, 0]


def test_warming_captures_the_largest_bucket_first_and_every_batch_after_it_replays() -> None:
    recorder = Recorder()
    graphs = new_graphs(recorder, most_rows=20)
    graphs.warm(BARE)
    assert recorder.rows == [32, 16, 8, 4, 2, 1]
    for count in range(1, 33):
        graphs.features(BARE, *batch(count))
    assert len(recorder.rows) == 6


def test_beyond_the_cap_a_layout_runs_as_it_is_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder()
    graphs = new_graphs(recorder, most_layouts=1)
    graphs.features(BARE, *batch(2))
    other = Layout(DvptOptions(count=3, meta_hidden=4))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            torch.testing.assert_close(graphs.features(other, *batch(2)), sums(other, *batch(2)))
    assert recorder.rows == [2]
    assert [record.getMessage() for record in caplog.records] == ["graph_not_captured"]


def test_a_pass_that_cannot_be_captured_runs_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(_: Callable[[], Tensor]) -> Captured:
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    graphs = Graphs(sums, refuse, CPU, SIZE, most_layouts=2, most_rows=64)
    with caplog.at_level(logging.WARNING):
        torch.testing.assert_close(graphs.features(BARE, *batch(2)), sums(BARE, *batch(2)))
    assert "graph_not_captured" in caplog.text


@pytest.mark.parametrize(("most_rows", "held"), [(1, 1), (20, 32), (64, 64), (4096, 512)])
def test_no_more_memory_is_held_than_the_largest_batch_needs(most_rows: int, held: int) -> None:
    images = new_graphs(Recorder(), most_rows=most_rows).images
    assert images.shape == (held, 3, SIZE, SIZE)


@pytest.mark.parametrize(("most_rows", "count"), [(20, 33), (4096, 600)])
def test_more_rows_than_the_largest_bucket_run_as_they_are(most_rows: int, count: int) -> None:
    recorder = Recorder()
    images, index = batch(2)
    many = (images[:1].expand(count, -1, -1, -1), index[:1].expand(count))
    graphs = new_graphs(recorder, most_rows=most_rows)
    torch.testing.assert_close(graphs.features(BARE, *many), sums(BARE, *many))
    assert not recorder.rows


def test_buckets_rise_and_hold_what_they_are_asked_for() -> None:
    assert all(low < high for low, high in pairwise(BUCKETS))
    assert [bucket_of(count) for count in (1, 3, 33, 512, 513)] == [1, 4, 48, 512, 0]
