"""Parts of a ViT's forward pass that timm has no name for."""

from typing import cast

import torch
from timm.layers.attention import Attention
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F


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


def class_token_through(block: nn.Module, tokens: Tensor) -> Tensor:
    """Tokens [B, T, D] → the class token behind `block` [B, 1, D].

    As the last block computes it: keys and values of all tokens, all else of this one. The other tokens'
    queries and their way through the MLP, a twelfth of a ViT-B, would be thrown away.
    """
    block = cast("Block", block)
    first = tokens[:, :1]
    attended = _attend(cast("Attention", block.attn), block.norm1(tokens))
    x = first + block.drop_path1(block.ls1(attended))
    return cast("Tensor", x + block.drop_path2(block.ls2(block.mlp(block.norm2(x)))))


def _attend(attention: Attention, tokens: Tensor) -> Tensor:
    """The first token's attention to all of `tokens`."""
    batch, count, _ = tokens.shape
    heads, width = attention.num_heads, attention.attn_dim
    weight, bias = attention.qkv.weight, attention.qkv.bias
    own, others = (None, None) if bias is None else (bias[:width], bias[width:])
    query = F.linear(tokens[:, :1], weight[:width], own).view(batch, 1, heads, -1).transpose(1, 2)
    pairs = F.linear(tokens, weight[width:], others).view(batch, count, 2, heads, -1)
    key, value = pairs.permute(2, 0, 3, 1, 4).unbind(0)
    query, key = attention.q_norm(query), attention.k_norm(key)
    x = F.scaled_dot_product_attention(query, key, value)
    return cast("Tensor", attention.proj(attention.norm(x.transpose(1, 2).reshape(batch, 1, width))))
