"""The chain of graphs that answers a batch, up to the heads."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from adapters.bank.bank import AdapterBank
from adapters.bank.rows import Rows
from adapters.kinds.dvpt.onnx import dvpt_graph, dvpt_inputs
from adapters.kinds.layout import Layout
from adapters.vit.backbone import Backbone
from adapters.vit.onnx import token_count, write_embed, write_encode
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
        self._width, self._depth = backbone.config.width, backbone.config.depth
        self._embed = cache.open("embed", backbone, write_embed, maker.open)
        self._encode = cache.open("encode", backbone, write_encode, maker.open)
        self._dvpt: dict[Layout, BoundGraph] = {}

    def features(self, images: Tensor, rows: Rows) -> Tensor:
        """Pictures [B, 3, H, W] uint8 in host memory, rows of one layout → features [B, D] float32."""
        device = self._maker.device
        if device.type == "cuda":
            images = images.pin_memory().to(device, non_blocking=True)
        tokens = self._empty(len(images), self._tokens, self._width)
        self._embed.run({"images": images}, {"tokens": tokens})
        prompts = self._prompts(rows.layout, tokens, rows.index)
        features = torch.empty(len(images), self._width, device=device)
        self._encode.run({"tokens": tokens, **prompts}, {"features": features})
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

    def _prompts(self, layout: Layout, tokens: Tensor, index: Tensor) -> dict[str, Tensor]:
        """The first layer's prompts [B, P, D] and the later ones' [B, depth − 1, P or 0, D]."""
        batch, count, later = len(index), layout.prompts.count, self._depth - 1
        first = self._empty(batch, count, self._width)
        if count == 0 or not layout.prompts.deep:
            nothing = self._empty(batch, later, 0, self._width)
            if count:
                self._dvpt_graph(layout).run({"tokens": tokens, "index": index}, {"first": first})
            return {"first": first, "later": nothing}
        prompts = {"first": first, "later": self._empty(batch, later, count, self._width)}
        self._dvpt_graph(layout).run({"tokens": tokens, "index": index}, prompts)
        return prompts

    def _dvpt_graph(self, layout: Layout) -> BoundGraph:
        if layout not in self._dvpt:
            half = self._dtype == torch.float16
            graph = self._maker.open(dvpt_graph(layout, prefix=self._prefix, width=self._width, half=half))
            graph.keep(dict(zip(dvpt_inputs(layout), self._bank.tensors(layout), strict=True)))
            self._dvpt[layout] = graph
        return self._dvpt[layout]

    def _empty(self, *shape: int) -> Tensor:
        return torch.empty(*shape, device=self._maker.device, dtype=self._dtype)
