"""The Triton kernels of `adapters.vit.fused`; their arguments are pointers, counts and strides.

A program takes a few tokens of one row, so that what belongs to the row is read once for all of them.
Triton allows no other annotation than `constexpr`.
"""

import triton
import triton.language as tl


@triton.jit
def _load(pointer, column, inside):
    """What all tokens of a row share, [1, columns]."""
    return tl.load(pointer + column, mask=inside, other=0.0).to(tl.float32)


@triton.jit
def _moved(value, scale, shift, column, inside):
    """Value [tokens, columns] · scale + shift."""
    return value * _load(scale, column, inside) + _load(shift, column, inside)


@triton.jit
def _normalized(x, weight, bias, column, inside, width, eps):
    """LayerNorm of [tokens, columns] in float32; columns beyond the width are 0 and count for nothing."""
    mean = tl.sum(x, axis=1) / width
    centred = tl.where(inside, x - mean[:, None], 0.0)
    variance = tl.sum(centred * centred, axis=1) / width
    scaled = centred * (1.0 / tl.sqrt(variance + eps))[:, None]
    return _moved(scaled, weight, bias, column, inside)


@triton.jit(do_not_specialize=["tokens"])
def norm(
    x, weight, bias, scale, shift, out, tokens, width, x_row, scale_row, shift_row, eps,
    token_block: tl.constexpr, width_block: tl.constexpr,
):  # fmt: skip
    """The norm of x, moved."""
    tiles = tl.cdiv(tokens, token_block)
    row = (tl.program_id(0) // tiles).to(tl.int64)  # times a stride it may pass 2³¹
    token = ((tl.program_id(0) % tiles) * token_block + tl.arange(0, token_block))[:, None]
    column = tl.arange(0, width_block)[None, :]
    inside = column < width
    kept = (token < tokens) & inside
    own = tl.load(x + row * x_row + token * width + column, mask=kept, other=0.0).to(tl.float32)
    read = _normalized(own, weight, bias, column, inside, width, eps)
    read = _moved(read, scale + row * scale_row, shift + row * shift_row, column, inside)
    tl.store(out + row * tokens * width + token * width + column, read, mask=kept)


@triton.jit(do_not_specialize=["tokens"])
def sum_and_norm(
    x, branch, scale, shift, weight, bias, scale2, shift2, total, out, tokens, width, x_row,
    scale_row, shift_row, scale2_row, shift2_row, eps,
    token_block: tl.constexpr, width_block: tl.constexpr,
):  # fmt: skip
    """Into total x and the moved branch, into out the norm of that, moved."""
    tiles = tl.cdiv(tokens, token_block)
    row = (tl.program_id(0) // tiles).to(tl.int64)
    token = ((tl.program_id(0) % tiles) * token_block + tl.arange(0, token_block))[:, None]
    column = tl.arange(0, width_block)[None, :]
    inside = column < width
    kept = (token < tokens) & inside
    place = row * tokens * width + token * width + column
    moved = tl.load(branch + place, mask=kept, other=0.0).to(tl.float32)
    moved = _moved(moved, scale + row * scale_row, shift + row * shift_row, column, inside)
    own = tl.load(x + row * x_row + token * width + column, mask=kept, other=0.0).to(tl.float32)
    rounded = (own + moved).to(total.dtype.element_ty)
    tl.store(total + place, rounded, mask=kept)
    read = _normalized(rounded.to(tl.float32), weight, bias, column, inside, width, eps)
    read = _moved(read, scale2 + row * scale2_row, shift2 + row * shift2_row, column, inside)
    tl.store(out + place, read, mask=kept)


@triton.jit(do_not_specialize=["tokens"])
def sum_of_branches(
    x, branch, scale, shift, hidden, up, out, tokens, width, x_row, scale_row, shift_row, up_row,
    rank: tl.constexpr, rank_block: tl.constexpr, precision: tl.constexpr,
    token_block: tl.constexpr, column_block: tl.constexpr,
):  # fmt: skip
    """The sum of x and the moved branch, and of hidden·upᵀ where the rank is not 0."""
    column_tiles = tl.cdiv(width, column_block)
    tiles = tl.cdiv(tokens, token_block) * column_tiles
    row = (tl.program_id(0) // tiles).to(tl.int64)
    tile = tl.program_id(0) % tiles
    token = ((tile // column_tiles) * token_block + tl.arange(0, token_block))[:, None]
    columns = (tile % column_tiles) * column_block + tl.arange(0, column_block)
    column = columns[None, :]
    inside = column < width
    kept = (token < tokens) & inside
    place = row * tokens * width + token * width + column
    moved = tl.load(branch + place, mask=kept, other=0.0).to(tl.float32)
    moved = _moved(moved, scale + row * scale_row, shift + row * shift_row, column, inside)
    if rank > 0:
        part = tl.arange(0, rank_block)[None, :]
        narrow = hidden + row * tokens * rank + token * rank + part
        narrow = tl.load(narrow, mask=(token < tokens) & (part < rank), other=0.0).to(tl.float32)
        wide = up + row * up_row + columns[:, None] * rank + part
        wide = tl.load(wide, mask=(columns[:, None] < width) & (part < rank), other=0.0).to(tl.float32)
        moved = tl.dot(narrow, tl.trans(wide), acc=moved, input_precision=precision)
    own = tl.load(x + row * x_row + token * width + column, mask=kept, other=0.0).to(tl.float32)
    tl.store(out + place, own + moved, mask=kept)
