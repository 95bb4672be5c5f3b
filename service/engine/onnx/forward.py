"""The chain of graphs that answers a batch, up to the heads."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from adapters.bank.bank import AdapterBank
from adapters.bank.rows import Rows
from adapters.kinds.kind import RowGraph
from adapters.kinds.layout import Layout
from adapters.kinds.table import kind_of
from adapters.vit.backbone import Backbone
from adapters.vit.blocks import has_plain_blocks
from adapters.vit.onnx import neutral_inputs, parts_of, token_count, write_embed, write_encode
from service.engine.onnx.cache import GraphCache
from service.engine.onnx.session import BoundGraph, SessionMaker

PREPARED_PARTS = (("affine", "bottleneck"), ("affine", "biases"))
"""What the methods' adapters bring, exported at the start: later it would hold up everybody's answers."""


@dataclass(frozen=True)
class _LayoutGraphs:
    """What a layout runs: the graphs of its rows, and the encoder that takes what they give."""

    rows: tuple[tuple[BoundGraph, RowGraph], ...]
    encode: BoundGraph


class OnnxForward:
    """The backbone's graphs, and those of each layout met so far."""

    def __init__(self, backbone: Backbone, bank: AdapterBank, maker: SessionMaker, cache: GraphCache) -> None:
        self.image_size = backbone.config.image_size
        self._bank = bank
        self._maker = maker
        self._dtype = backbone.dtype
        self._prefix = backbone.prefix_count
        self._tokens = token_count(backbone)
        self._config = backbone.config
        self._neutral = neutral_inputs(backbone)
        self._backbone = backbone
        self._cache = cache
        self._embed = cache.open("embed", backbone, write_embed, maker.open)
        self._encoders: dict[tuple[str, ...], BoundGraph] = {}
        self._encoder(())
        for parts in PREPARED_PARTS if has_plain_blocks(backbone.vit) else ():
            cache.prepare(_encoder_name(parts), backbone, partial(write_encode, parts=parts))
        self._layouts: dict[Layout, _LayoutGraphs] = {}

    def features(self, images: Tensor, rows: Rows) -> Tensor:
        """Pictures [B, 3, H, W] uint8 in host memory, rows of one layout → features [B, D] float32."""
        device = self._maker.device
        if device.type == "cuda":
            images = images.pin_memory().to(device, non_blocking=True)
        tokens = self._empty(len(images), self._tokens, self._config.width)
        self._embed.run({"images": images}, {"tokens": tokens})
        graphs = self._graphs(rows.layout)
        own = self._row_inputs(graphs, tokens, rows.index)
        features = torch.empty(len(images), self._config.width, device=device)
        graphs.encode.run({"tokens": tokens, **own}, {"features": features})
        return features

    @contextmanager
    def on_stream(self) -> Iterator[None]:
        """On CUDA, run behind the writes to the bank, on the stream that the graphs run on."""
        stream = self._maker.stream
        if stream is None:
            yield
            return
        stream.wait_stream(torch.cuda.default_stream(self._maker.device))
        with torch.cuda.stream(stream):
            yield

    def _row_inputs(self, graphs: _LayoutGraphs, tokens: Tensor, index: Tensor) -> dict[str, Tensor]:
        """What each row brings, under the names of the encoder's inputs; or no prompts."""
        own = self._outputs(len(index), self._neutral)
        for bound, graph in graphs.rows:
            given = self._outputs(len(index), graph.outputs)
            bound.run({"tokens": tokens, "index": index}, given)
            own |= given
        return own

    def _graphs(self, layout: Layout) -> _LayoutGraphs:
        if layout not in self._layouts:
            self._layouts[layout] = self._new_graphs(layout)
        return self._layouts[layout]

    def _new_graphs(self, layout: Layout) -> _LayoutGraphs:
        half = self._dtype == torch.float16
        graphs = kind_of(layout.options).graphs(layout.options, self._config, prefix=self._prefix, half=half)
        stack = iter(self._bank.tensors(layout))
        rows = []
        for graph in graphs:
            bound = self._maker.open(graph.model)
            bound.keep({name: next(stack) for name in graph.stack})
            rows.append((bound, graph))
        names = {name for graph in graphs for name in graph.outputs}
        return _LayoutGraphs(tuple(rows), self._encoder(parts_of(names)))

    def _encoder(self, parts: tuple[str, ...]) -> BoundGraph:
        """The encoder of these parts; each has the backbone's weights of its own in memory."""
        if parts not in self._encoders:
            name, write = _encoder_name(parts), partial(write_encode, parts=parts)
            self._encoders[parts] = self._cache.open(name, self._backbone, write, self._maker.open)
        return self._encoders[parts]

    def _outputs(self, batch: int, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
        return {name: self._empty(batch, *shape) for name, shape in shapes.items()}

    def _empty(self, *shape: int) -> Tensor:
        return torch.empty(*shape, device=self._maker.device, dtype=self._dtype)


def _encoder_name(parts: tuple[str, ...]) -> str:
    return "-".join(("encode", *parts))
