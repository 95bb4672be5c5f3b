"""The Meta-Net: a small bottleneck network that makes the dynamic prompt π of one picture."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from adapters.kinds.dvpt.options import DvptOptions


def hidden_width(options: DvptOptions, width: int) -> int:
    """The bottleneck's width; 0 in the configuration means CoCoOp's D / 16."""
    return options.meta_hidden or max(1, width // 16)


def output_rows(options: DvptOptions) -> int:
    """How many rows π has: one for all prompts (shared) or one for each (specific)."""
    return options.count if options.meta_net == "specific" else 1


class MetaNet(nn.Sequential):
    """Linear maps D → h → … → h → rows·D with ReLU between; the last starts at zero, so P(x) = P.

    Its parameters are named `0.weight`, `1.weight`, …: one index for each linear map.
    """

    def __init__(self, options: DvptOptions, width: int) -> None:
        hidden = [hidden_width(options, width)] * (options.meta_layers - 1)
        sizes = [width, *hidden, output_rows(options) * width]
        super().__init__(*(nn.Linear(inputs, outputs) for inputs, outputs in pairwise(sizes)))
        self.rows = output_rows(options)
        self.per_token = options.meta_input == "token"
        self.normalize = options.meta_norm
        last = self.get_submodule(str(len(self) - 1))
        for parameter in last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, patches: Tensor) -> Tensor:
        """Patch tokens E₀ [B, N, D] → π [B, rows, D]."""
        x = meta_input(patches, per_token=self.per_token, normalize=self.normalize)  # [B, 1 or N, D]
        for index, linear in enumerate(self):
            x = linear(F.relu(x) if index else x)
        return x.mean(dim=1).view(patches.shape[0], self.rows, patches.shape[2])


def meta_input(patches: Tensor, *, per_token: bool, normalize: bool) -> Tensor:
    """What the Meta-Net reads: every patch token [B, N, D], or their mean [B, 1, D]; normalized or not."""
    x = patches if per_token else patches.mean(dim=1, keepdim=True)
    return F.layer_norm(x, x.shape[-1:]) if normalize else x
