"""Other readings of π inside dvpt-plus, which are tried here and are no options of the product."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from adapters.kinds.combined.kind import CombinedBody
from adapters.kinds.dvpt.body import DvptBody
from adapters.kinds.dvpt.meta_net import MetaNet
from adapters.vit import backbone
from adapters.vit.blocks import with_prompts
from adapters.vit.row_parameters import RowParameters


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Train and answer with that reading meanwhile; "" is the product's own."""
    changes: dict[str, Any] = {"": _as_it_is, "affine": _in_the_affine_too, "pooled": _of_each_layers_tokens}
    with changes[name]():
        yield


@contextmanager
def _as_it_is() -> Iterator[None]:
    yield


@contextmanager
def _in_the_affine_too() -> Iterator[None]:
    """π is added to the first block's first shift as well, and so to every token that its attention reads."""
    plain = CombinedBody.forward

    def forward(self: CombinedBody, patches: Tensor) -> RowParameters:
        rows, pi = plain(self, patches), _meta_net(self)(patches.float())  # [B, 1, D]
        affine = rows.affine
        if affine is None:
            return rows
        moved = torch.stack([pi, *[torch.zeros_like(pi)] * 3], dim=2)  # [B, 1, 4, D]
        shift = torch.cat([affine.shift[:, :1] + moved, affine.shift[:, 1:]], dim=1)
        return replace(rows, affine=affine._replace(shift=shift))

    with patch.object(CombinedBody, "forward", forward):
        yield


@contextmanager
def _of_each_layers_tokens() -> Iterator[None]:
    """One Meta-Net makes a π for each layer, of the mean patch token that it reads (as VAPT pools)."""
    plain, last = CombinedBody.forward, list[MetaNet]()

    def forward(self: CombinedBody, patches: Tensor) -> RowParameters:
        rows = plain(self, patches)
        last[:] = [_meta_net(self)]
        prompts = _dvpt(self).prompts.expand(len(patches), -1, -1, -1)
        return replace(rows, prompts=prompts)

    def moved(tokens: Tensor, prompts: Tensor, prefix: int, *, fresh: bool) -> Tensor:
        behind = prefix if fresh else prefix + prompts.shape[1]
        pi = last[0](tokens[:, behind:].float())
        return with_prompts(tokens, prompts + pi.to(prompts.dtype), prefix, fresh=fresh)

    with patch.object(CombinedBody, "forward", forward), patch.object(backbone, "with_prompts", moved):
        yield


def _meta_net(body: CombinedBody) -> MetaNet:
    found = _dvpt(body).meta_net
    if found is None:
        raise ValueError("there is no Meta-Net to read π from")
    return found


def _dvpt(body: CombinedBody) -> DvptBody:
    found = body.get_submodule("dvpt")
    if not isinstance(found, DvptBody):
        raise TypeError("the body has no prompts")
    return found
