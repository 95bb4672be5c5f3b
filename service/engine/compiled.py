"""The backbone through torch.compile; where that fails, as it is."""

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._dynamo import config as dynamo_config
from torch._dynamo.exc import FailOnRecompileLimitHit, TorchDynamoException
from torch._inductor import config

from adapters.vit.backbone import Backbone
from adapters.vit.row_parameters import NEUTRAL, RowParameters
from service.logs import log_event

logger = logging.getLogger("service.engine")
Compile = Callable[..., Callable[..., Tensor]]
CASES = 64  # far more than there are; torch's own limit of 8 is met by a store of every kind


class CompiledBackbone:
    """Compiles the backbone's two parts, each once for batches and prompts of any number.

    A single picture, a single prompt, deep, shallow or no prompts, and what else rows bring to the blocks are
    compiled apart. Adapters are inputs: a new one needs nothing. The first error is logged, and from then on
    all runs as it is.
    """

    def __init__(self, backbone: Backbone, device: torch.device, compiler: Compile = torch.compile) -> None:
        self._backbone = backbone
        # On a CPU the gain lies in weights packed for its matrix units, which are then constants. As an
        # option of the compiler this would come too late: the weights would be inputs already.
        self._config = {"freezing": device.type == "cpu"}
        # Without a full graph, torch would give up on a part, or after too many shapes, by itself.
        self._embed = compiler(backbone.embed, dynamic=True, fullgraph=True)
        self._encode = compiler(backbone.encode, dynamic=True, fullgraph=True)
        self.failed = False

    def embed(self, images: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] uint8 → tokens E₀ behind the prefix [B, prefix + N, D]."""
        return self._run(self._embed, self._backbone.embed, images)

    def patch_tokens(self, tokens: Tensor) -> Tensor:
        """The patch tokens E₀ [B, N, D] alone."""
        return self._backbone.patch_tokens(tokens)

    def encode(self, tokens: Tensor, rows: RowParameters = NEUTRAL) -> Tensor:
        """Tokens [B, prefix + N, D] and what each row brings of its own → pooled features [B, D]."""
        return self._run(self._encode, self._backbone.encode, tokens, rows)

    def _run(self, compiled: Callable[..., Tensor], plain: Callable[..., Tensor], *inputs: Any) -> Tensor:
        if not self.failed:
            try:
                with config.patch(self._config), dynamo_config.patch(recompile_limit=CASES):
                    return compiled(*inputs)
            except (TorchDynamoException, FailOnRecompileLimitHit) as error:
                self.failed = True
                reason = str(error).strip().partition("\n")[0]
                log_event(logger, logging.WARNING, "compile_failed", kind=type(error).__name__, reason=reason)
        return plain(*inputs)
