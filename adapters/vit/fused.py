"""What rows do to tokens between a block's matrix products, each in one kernel, for CUDA.

Every elementwise operation of its own reads and writes all tokens (docs/adr/0026). Tokens are float32,
bfloat16 or float16; sums are in float32, and a result is rounded once. There are no gradients. Block sizes
follow from the width alone: trying them out is nothing that a CUDA graph could capture. A width compiles once
for any number of rows and tokens.

To be imported only where Triton and a C compiler may be expected: without Triton the import raises
ImportError, and a first call raises whatever the compilers do.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from adapters.vit import kernels
from adapters.vit.row_parameters import Affine

TILE = 4096  # values of a tensor that a program holds, 32 for each of its 128 threads
MOST_TOKENS = 16
SUM_TOKENS, SUM_COLUMNS = 32, 128
MOST_RANK = 16  # the least that tensor cores multiply, and the most that fits a thread's registers in float32


def moved_norm(x: Tensor, norm: nn.LayerNorm, own: Affine) -> Tensor:
    """norm(x)·scale + shift of tokens x [B, T, D] and each row's scale and shift [B, 1, D]."""
    x, scale, shift = map(_dense, (x, *own))
    batch, tokens, width = x.shape
    out = _empty(x)
    token_block, width_block = _tile(width)
    with _device_of(x):
        kernels.norm[(batch * _ceil(tokens, token_block),)](
            x, norm.weight, norm.bias, scale, shift, out, tokens, width, x.stride(0),
            _stride(scale), _stride(shift), norm.eps, token_block, width_block, **_options(width_block),
        )  # fmt: skip
    return out


def moved_sum_and_norm(
    x: Tensor, branch: Tensor, own: Affine, norm: nn.LayerNorm, behind: Affine
) -> tuple[Tensor, Tensor]:
    """The sum x + branch·scale + shift, and of it, once rounded, norm(sum)·scale + shift of `behind`.

    x and branch are [B, T, D], scales and shifts [B, 1, D].
    """
    x, scale, shift, scale2, shift2 = map(_dense, (x, *own, *behind))
    batch, tokens, width = x.shape
    total, out = _empty(x), _empty(x)
    token_block, width_block = _tile(width)
    with _device_of(x):
        kernels.sum_and_norm[(batch * _ceil(tokens, token_block),)](
            x, branch.contiguous(), scale, shift, norm.weight, norm.bias, scale2, shift2, total, out,
            tokens, width, x.stride(0),
            _stride(scale), _stride(shift), _stride(scale2), _stride(shift2), norm.eps,
            token_block, width_block, **_options(width_block),
        )  # fmt: skip
    return total, out


def moved_sum(x: Tensor, branch: Tensor, own: Affine, beside: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """The sum x + branch·scale + shift, and + hidden·upᵀ of `beside`, hidden [B, T, r] and up [B, D, r].

    x and branch are [B, T, D], scale and shift [B, 1, D]. Of more than 16 columns r the product is torch's,
    written over the sum.
    """
    x, scale, shift = map(_dense, (x, *own))
    batch, tokens, width = x.shape
    out = _empty(x)
    narrow = beside is not None and beside[1].shape[2] <= MOST_RANK
    hidden, up = (None, None) if beside is None or not narrow else (beside[0].contiguous(), _dense(beside[1]))
    # The products of two bfloat16 or float16 are exact in TF32, and are added up in float32.
    precision = "ieee" if x.dtype == torch.float32 else "tf32"
    with _device_of(x):
        kernels.sum_of_branches[(batch * _ceil(tokens, SUM_TOKENS) * _ceil(width, SUM_COLUMNS),)](
            x, branch.contiguous(), scale, shift, hidden, up, out, tokens, width, x.stride(0),
            _stride(scale), _stride(shift), 0 if up is None else _stride(up),
            0 if up is None else up.shape[2], MOST_RANK, precision, SUM_TOKENS, SUM_COLUMNS, **_options(),
        )  # fmt: skip
    if beside is not None and not narrow:
        out.baddbmm_(beside[0], beside[1].transpose(1, 2))
    return out


@torch.inference_mode()
def try_out(norm: nn.LayerNorm) -> None:
    """Compile all that a ViT of this norm's width and type needs, and run it on two rows."""
    (width,) = norm.normalized_shape
    zeros = partial(torch.zeros, dtype=norm.weight.dtype, device=norm.weight.device)
    x, parts = zeros(2, 3, width), zeros(2, 1, 4, 1, width)
    own, behind = (Affine(parts[:, 0, place], parts[:, 0, place]) for place in range(2))
    moved_norm(x, norm, own)
    moved_sum_and_norm(x, x, own, norm, behind)
    moved_sum(x, x, own)
    moved_sum(x, x, own, (zeros(2, 3, 8), zeros(2, width, 8)))
    if x.is_cuda:
        torch.cuda.synchronize(x.device)


def _tile(width: int) -> tuple[int, int]:
    """Tokens and columns, both powers of two, of a program that needs each token whole."""
    columns = 1 << (width - 1).bit_length()
    return max(1, min(MOST_TOKENS, TILE // columns)), columns


def _options(width_block: int = 0) -> dict[str, Any]:
    return {"num_warps": 4 if width_block <= TILE else 8, "enable_fp_fusion": True}


def _ceil(count: int, size: int) -> int:
    return -(-count // size)


def _device_of(x: Tensor) -> Any:
    return torch.cuda.device_of(x)  # type: ignore[no-untyped-call]


def _dense(x: Tensor) -> Tensor:
    """Each row's values one behind the other; from row to row there may be any distance."""
    return x if x[0].is_contiguous() else x.contiguous()


def _stride(x: Tensor) -> int:
    """From row to row; all rows may share one."""
    return x.stride(0) if len(x) > 1 else 0


def _empty(x: Tensor) -> Tensor:
    return torch.empty(x.shape, dtype=x.dtype, device=x.device)  # dense, whatever x is
