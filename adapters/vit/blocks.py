"""Parts of a ViT's forward pass that timm has no name for."""

from collections.abc import Iterable
from typing import cast

import torch
from timm.layers.attention import Attention
from timm.layers.mlp import Mlp
from timm.layers.norm import LayerNorm
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F

from adapters.errors import UnsupportedBackbone
from adapters.vit.row_parameters import (
    ATTENTION,
    MLP,
    NEUTRAL_BLOCK,
    NORM1,
    NORM2,
    Affine,
    BlockParameters,
    Bottleneck,
    RowParameters,
)


def with_prompts(tokens: Tensor, prompts: Tensor, prefix: int, *, fresh: bool) -> Tensor:
    """Put prompts [B, P, D] behind the prefix, in place of the layer before's unless `fresh`."""
    count = prompts.shape[1]
    if not fresh and not torch.is_grad_enabled() and not torch.compiler.is_compiling():
        tokens[:, prefix : prefix + count] = prompts  # saves a copy of all tokens in each layer
        return tokens
    behind = prefix if fresh else prefix + count
    return torch.cat([tokens[:, :prefix], prompts, tokens[:, behind:]], dim=1)


def reads_class_token_alone(vit: VisionTransformer) -> bool:
    """Whether nothing but the last block's class token is used, and that block is the plain one."""
    last = vit.blocks[-1]
    return (
        vit.global_pool == "token"
        and vit.attn_pool is None
        and type(last) is Block
        and type(last.attn) is Attention
        and last.attn.gate is None
    )


def has_plain_blocks(vit: VisionTransformer) -> bool:
    """Whether rows may bring anything at all to the blocks."""
    return all(_is_plain(block) for block in cast("Iterable[nn.Module]", vit.blocks))


def _is_plain(block: nn.Module) -> bool:
    return (
        type(block) is Block
        and type(block.attn) is Attention
        and block.attn.gate is None
        and type(block.mlp) is Mlp
    )


def require_plain_blocks(vit: VisionTransformer, rows: RowParameters) -> None:
    """Raise UnsupportedBackbone where the blocks have no such places as the rows reach into."""
    for block in cast("Iterable[nn.Module]", vit.blocks):
        if type(block) is not Block:
            raise UnsupportedBackbone(
                f"affines and bottlenecks need timm's plain Block, and this ViT has a {type(block).__name__}"
            )
        if rows.biases is not None and not _is_plain(block):
            raise UnsupportedBackbone("free biases need blocks of timm's plain Attention and Mlp")


def mlp_width(vit: VisionTransformer) -> int:
    """Values before the activation of a block's MLP, H. Raises UnsupportedBackbone for another MLP."""
    mlp = cast("Block", vit.blocks[0]).mlp
    if type(mlp) is not Mlp:
        raise UnsupportedBackbone("free biases need blocks of timm's plain Mlp")
    return cast("nn.Linear", mlp.fc1).out_features


def shifted_tokens(tokens: Tensor, shift: Tensor, prefix: int) -> Tensor:
    """Tokens [B, prefix + N, D] with shift [B, 2, D] added to the prefix and to the patches."""
    return torch.cat([tokens[:, :prefix] + shift[:, :1], tokens[:, prefix:] + shift[:, 1:]], dim=1)


def has_plain_norms(vit: VisionTransformer) -> bool:
    """Whether each block is a plain one whose norms are LayerNorms with weight and bias."""
    return all(
        type(block) is Block and _is_plain_norm(block.norm1) and _is_plain_norm(block.norm2)
        for block in cast("Iterable[nn.Module]", vit.blocks)
    )


def _is_plain_norm(norm: nn.Module) -> bool:
    kind = type(norm)
    return kind in (nn.LayerNorm, LayerNorm) and norm.weight is not None and norm.bias is not None


def through(
    block: nn.Module,
    tokens: Tensor,
    own: BlockParameters = NEUTRAL_BLOCK,
    *,
    class_token_alone: bool = False,
    fused: bool = False,
) -> Tensor:
    """Tokens [B, T, D] behind a plain `block`, with each row's own parameters.

    With `class_token_alone` only the class token [B, 1, D], as the last block computes it: keys and values
    of all tokens, all else of this one. The other tokens' queries and their way through the MLP, a twelfth
    of a ViT-B, would be thrown away. `fused` moves rows by an affine in the kernels of `adapters.vit.fused`,
    for blocks with plain norms, without gradients.
    """
    block = cast("Block", block)
    if fused and own.affine is not None:
        return _through_fused(block, tokens, own, own.affine, class_token_alone=class_token_alone)
    kept = tokens[:, :1] if class_token_alone else tokens
    read = _moved(block.norm1(tokens), own.affine, NORM1)
    attended = block.ls1(_attended(block, read, own, class_token_alone=class_token_alone))
    x = kept + block.drop_path1(_moved(attended, own.affine, ATTENTION))
    read = _moved(block.norm2(x), own.affine, NORM2)
    answered = _moved(block.ls2(_feed_forward(block.mlp, read, own.hidden)), own.affine, MLP)
    if own.bottleneck is not None:
        # Written over what the MLP answered, which nothing else reads: a sum of its own would be a copy more.
        answered.baddbmm_(_narrowed(read, own.bottleneck), own.bottleneck.up.transpose(1, 2))
    return cast("Tensor", x + block.drop_path2(answered))


def _through_fused(
    block: Block, tokens: Tensor, own: BlockParameters, affine: Affine, *, class_token_alone: bool
) -> Tensor:
    from adapters.vit import fused  # noqa: PLC0415 - Triton, which is not everywhere

    kept = tokens[:, :1] if class_token_alone else tokens
    norm1, norm2 = cast("nn.LayerNorm", block.norm1), cast("nn.LayerNorm", block.norm2)
    read = fused.moved_norm(tokens, norm1, affine.of_place(NORM1))
    attended = block.ls1(_attended(block, read, own, class_token_alone=class_token_alone))
    x, read = fused.moved_sum_and_norm(
        kept, attended, affine.of_place(ATTENTION), norm2, affine.of_place(NORM2)
    )
    answered = block.ls2(_feed_forward(block.mlp, read, own.hidden))
    beside = None if own.bottleneck is None else (_narrowed(read, own.bottleneck), own.bottleneck.up)
    return fused.moved_sum(x, answered, affine.of_place(MLP), beside)


def _moved(x: Tensor, affine: Affine | None, place: int) -> Tensor:
    return x if affine is None else torch.addcmul(affine.shift[:, place], x, affine.scale[:, place])


def _narrowed(read: Tensor, own: Bottleneck) -> Tensor:
    """Of what the MLP reads [B, T, D] the bottleneck's few columns [B, T, r], behind their activation."""
    return F.gelu(torch.baddbmm(own.bias.unsqueeze(1), read, own.down.transpose(1, 2)))


def _feed_forward(mlp: nn.Module, read: Tensor, shift: Tensor | None) -> Tensor:
    if shift is None:
        return cast("Tensor", mlp(read))
    own = cast("Mlp", mlp)
    return cast("Tensor", own.fc2(own.norm(own.act(own.fc1(read) + shift))))


def _attended(block: Block, read: Tensor, own: BlockParameters, *, class_token_alone: bool) -> Tensor:
    if class_token_alone or own.qkv is not None:
        return _attend(cast("Attention", block.attn), read, own.qkv, first_alone=class_token_alone)
    return cast("Tensor", block.attn(read))


def _attend(attention: Attention, tokens: Tensor, shift: Tensor | None, *, first_alone: bool) -> Tensor:
    """The attention of the first token, or of each, to all of `tokens`; `shift` moves q, k and v."""
    batch, count, _ = tokens.shape
    heads, width = attention.num_heads, attention.attn_dim
    weight, bias = attention.qkv.weight, attention.qkv.bias
    own, others = (None, None) if bias is None else (bias[:width], bias[width:])
    query = F.linear(tokens[:, :1] if first_alone else tokens, weight[:width], own)
    pairs = F.linear(tokens, weight[width:], others)
    if shift is not None:
        query, pairs = query + shift[..., :width], pairs + shift[..., width:]
    asking = query.shape[1]
    query = attention.q_norm(query.view(batch, asking, heads, -1).transpose(1, 2))
    key, value = pairs.view(batch, count, 2, heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
    x = F.scaled_dot_product_attention(query, attention.k_norm(key), value)
    return cast("Tensor", attention.proj(attention.norm(x.transpose(1, 2).reshape(batch, asking, width))))
