"""Where training starts: prompts as patch tokens, the head as a linear head."""

from dataclasses import dataclass

import torch
from torch import Tensor

from adapters.vit.backbone import Backbone
from training.loop.calibration import fit_temperature
from training.loop.linear_head import LinearHead
from training.methods.method import Method, head_inputs
from training.methods.prompt_start import start_from_tokens
from training.options.train_config import TrainConfig
from training.run.linear_reference import LinearReference, load_head
from training.run.warm_start import WarmStart

TOKENS_OF_PICTURES = 64


@dataclass(frozen=True)
class Start:
    """What a method's tensors are before the first step, with what they are made from."""

    method: Method
    config: TrainConfig
    backbone: Backbone
    linear: LinearReference
    warm: WarmStart | None

    def make(self, rows: Tensor) -> None:
        """Start from these training pictures [N], rows of the train split, where the options say so."""
        if self.config.method == "linear" and self.config.head_first:
            load_head(self.method.head, self.linear.head)
            return
        if not self._prompts_from_tokens and not self._head_first:
            return
        pixels = self.linear.decoder.load(self.linear.train, "decoding the training pictures")
        if self._prompts_from_tokens:
            seed = self.config.seed
            order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
            some = rows[order[:TOKENS_OF_PICTURES]]
            start_from_tokens(self.method.module, self.backbone, pixels[some], seed)
        if self._head_first:
            device = self.backbone.mean.device
            features = head_inputs(self.method, self.method.inputs(pixels), device)
            head = self.linear.head_of(rows, features)
            load_head(self.method.head, head if head.folds == 0 else self._no_surer_than_right(head, rows))

    def _no_surer_than_right(self, head: LinearHead, rows: Tensor) -> LinearHead:
        """The head at the temperature of its answers out of fold.

        One that is too sure costs more under dropped paths and smoothed labels than it is worth.
        """
        labels = torch.tensor(self.linear.train.labels)[rows]
        return head.divided_by(fit_temperature(head.out_of_fold, labels))

    @property
    def _prompts_from_tokens(self) -> bool:
        return self.config.prompt_start == "tokens" and self.warm is None

    @property
    def _head_first(self) -> bool:
        one_map = (self.config.head_layers or 1) == 1
        return bool(self.config.head_first) and one_map and not (self.warm and self.warm.with_head)
