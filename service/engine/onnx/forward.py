"""The chain of graphs that answers a batch, up to the heads."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from adapters.bank.bank import AdapterBank
from adapters.bank.rows import Rows
from adapters.kinds.kind import RowGraph
from adapters.kinds.layout import Layout
from adapters.kinds.table import kind_of
from adapters.vit.backbone import Backbone
from adapters.vit.onnx import neutral_inputs, token_count, write_embed, write_encode
from service.engine.onnx.cache import GraphCache
from service.engine.onnx.session import BoundGraph, SessionMaker


class OnnxForward:
    """The backbone's two graphs and one for each layout met so far."""

    def __init__(self, backbone: Backbone, bank: AdapterBank, maker: SessionMaker, cache: GraphCache) -> None:
        self.image_size = backbone.config.image_size
        self._bank = bank
        self._maker = maker
        self._dtype = backbone.dtype
        self._prefix = backbone.prefix_count
        self._tokens = token_count(backbone)
        self._config = backbone.config
        self._neutral = neutral_inputs(backbone)
        self._embed = cache.open("embed", backbone, write_embed, maker.open)
        self._encode = cache.open("encode", backbone, write_encode, maker.open)
        self._rows: dict[Layout, tuple[BoundGraph, RowGraph] | None] = {}

    def features(self, images: Tensor, rows: Rows) -> Tensor:
        """Pictures [B, 3, H, W] uint8 in host memory, rows of one layout → features [B, D] float32."""
        device = self._maker.device
        if device.type == "cuda":
            images = images.pin_memory().to(device, non_blocking=True)
        tokens = self._empty(len(images), self._tokens, self._config.width)
        self._embed.run({"images": images}, {"tokens": tokens})
        own = self._row_inputs(rows.layout, tokens, rows.index)
        features = torch.empty(len(images), self._config.width, device=device)
        self._encode.run({"tokens": tokens, **own}, {"features": features})
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

    def _row_inputs(self, layout: Layout, tokens: Tensor, index: Tensor) -> dict[str, Tensor]:
        """What each row brings, under the names of the encoder's inputs; the rest of them is neutral."""
        found, neutral = self._row_graph(layout), self._outputs(len(index), self._neutral)
        if found is None:
            return neutral
        bound, graph = found
        own = self._outputs(len(index), graph.outputs)
        bound.run({"tokens": tokens, "index": index}, own)
        return neutral | own

    def _row_graph(self, layout: Layout) -> tuple[BoundGraph, RowGraph] | None:
        if layout not in self._rows:
            self._rows[layout] = self._new_row_graph(layout)
        return self._rows[layout]

    def _new_row_graph(self, layout: Layout) -> tuple[BoundGraph, RowGraph] | None:
        half = self._dtype == torch.float16
        graph = kind_of(layout.options).graph(layout.options, self._config, prefix=self._prefix, half=half)
        if graph is None:
            return None
        bound = self._maker.open(graph.model)
        bound.keep(dict(zip(graph.stack, self._bank.tensors(layout), strict=True)))
        return bound, graph

    def _outputs(self, batch: int, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
        return {name: self._empty(batch, *shape) for name, shape in shapes.items()}

    def _empty(self, *shape: int) -> Tensor:
        return torch.empty(*shape, device=self._maker.device, dtype=self._dtype)
