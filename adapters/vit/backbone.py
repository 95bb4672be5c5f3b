"""The frozen timm ViT: load it, digest its weights, embed pictures, encode tokens."""

import difflib
import hashlib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Self, cast

import timm
import torch
from huggingface_hub import hf_hub_download, model_info
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.layers.patch_embed import PatchEmbed
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn

from adapters.config import BackboneConfig, Channels
from adapters.environment import variable
from adapters.errors import BackboneMismatch, BackboneWeights, UnsupportedBackbone
from adapters.vit.blocks import (
    has_plain_norms,
    reads_class_token_alone,
    require_plain_blocks,
    shifted_tokens,
    through,
    with_prompts,
)
from adapters.vit.patches import FoldedPatches
from adapters.vit.row_parameters import NEUTRAL, RowParameters

EMBEDDED_BACKBONE = "vit_dvpt_patch8_64.formula"
DEFAULT_BACKBONE = "vit_base_patch16_224.orig_in21k"
POOLINGS = ("token", "avg")


class Backbone(nn.Module):
    """A plain ViT without classifier, in evaluation mode and without gradients of its own.

    Its own methods cast and move: `to` would round the normalization constants as well.
    """

    mean: Tensor
    std: Tensor
    _folded: FoldedPatches | None

    def __init__(self, vit: VisionTransformer, config: BackboneConfig) -> None:
        super().__init__()
        self.vit = vit.eval().requires_grad_(False)
        self.config = config
        self.register_buffer("mean", _channels(config.mean), persistent=False)
        self.register_buffer("std", _channels(config.std), persistent=False)
        self._folded = None
        self.class_token_alone = False
        self.fused = False

    def prepare(self, device: torch.device, dtype: torch.dtype) -> Self:
        """Move everything to `device` and cast the weights to `dtype`, for training and serving alike.

        Before the cast the normalization is folded into a copy of the patch embedding's weights; `embed`
        uses it for as long as they are the same parameters. Without gradients the last block computes
        nothing but the class token from now on, where no other is read. What was fused is so no longer.
        """
        self.fused = False
        if self._folded is None and self.vit.patch_embed.flatten:
            self._folded = FoldedPatches(self.vit.patch_embed, self.mean, self.std)
        if self._folded is not None:
            self._folded.to(device=device, dtype=dtype)
        self.class_token_alone = reads_class_token_alone(self.vit)
        self.vit.to(device=device, dtype=dtype)
        self.mean, self.std = self.mean.to(device), self.std.to(device)
        return self

    def fuse(self) -> Self:
        """Move rows by their affines in Triton's kernels from now on, without gradients; on CUDA alone.

        Set `fused` back to undo it. Nothing changes where the blocks' norms are no plain ones. Compiling
        takes seconds and asks for Triton and a C compiler: without Triton it raises ImportError, and whatever
        else they raise.
        """
        if has_plain_norms(self.vit):
            from adapters.vit.fused import try_out  # noqa: PLC0415 - Triton, which is not everywhere

            try_out(cast("nn.LayerNorm", cast("Block", self.vit.blocks[0]).norm1))
            self.fused = True
        return self

    def use_fused_attention(self, fused: bool) -> Self:
        """Choose torch's fused attention or plain matrix products, which train faster on a CPU."""
        for block in cast("Iterable[Any]", self.vit.blocks):
            block.attn.fused_attn = fused
        return self

    @property
    def dtype(self) -> torch.dtype:
        """The type the weights are held in."""
        return cast("torch.dtype", self.vit.patch_embed.proj.weight.dtype)

    @property
    def prefix_count(self) -> int:
        """How many class and register tokens stand before the patches."""
        return int(self.vit.num_prefix_tokens)

    def normalize(self, images: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] uint8 → float32 pixels as the backbone was trained on them."""
        return (images.float() / 255.0 - self.mean) / self.std

    def embed(self, images: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] uint8 → tokens E₀ behind the prefix [B, prefix + N, D]."""
        if self._folded is not None and self._folded.is_of(self.vit.patch_embed):
            x = self._folded(images)
        else:
            x = self.vit.patch_embed(self.normalize(images).to(self.dtype))
        x = self.vit.patch_drop(self.vit._pos_embed(x))  # noqa: SLF001 - timm has no public name for it
        return cast("Tensor", self.vit.norm_pre(x))

    def patch_tokens(self, tokens: Tensor) -> Tensor:
        """The patch tokens E₀ [B, N, D] alone, which the Meta-Net reads."""
        return tokens[:, self.prefix_count :]

    def encode(self, tokens: Tensor, rows: RowParameters = NEUTRAL) -> Tensor:
        """Tokens [B, prefix + N, D] and what each row brings of its own → pooled features [B, D]."""
        prefix, x, rows = self.prefix_count, tokens, rows.to(tokens.dtype)
        prompts, fitted = rows.prompts, rows.reach_into_blocks
        if fitted:
            require_plain_blocks(self.vit, rows)
        if rows.biases is not None:
            x = shifted_tokens(x, rows.biases.embed, prefix)
        count = 0 if prompts is None else prompts.shape[2]
        alone = self.class_token_alone and not torch.is_grad_enabled()
        fused = self.fused and not torch.is_grad_enabled() and not torch.compiler.is_compiling()
        last = len(self.vit.blocks) - 1
        for layer, block in enumerate(self.vit.blocks):
            if prompts is not None and layer < prompts.shape[1]:
                x = with_prompts(x, prompts[:, layer], prefix, fresh=layer == 0)
            short = alone and layer == last
            if fitted or short:
                x = through(block, x, rows.of_block(layer), class_token_alone=short, fused=fused)
            else:
                x = block(x)
        if count and not alone:
            x = torch.cat([x[:, :prefix], x[:, prefix + count :]], dim=1)
        return self.vit.forward_head(self.vit.norm(x), pre_logits=True)


def load_backbone(
    name: str,
    *,
    weights: Path | None = None,
    revision: str | None = None,
    image_size: int | None = None,
    mapped: bool = False,
) -> Backbone:
    """Build the ViT `name` with its weights: a local file, the embedded asset, or the model hub.

    `mapped` weights stay in the file, whose pages all processes share; nobody may write into it from then on.

    Raises UnsupportedBackbone for anything but a plain square timm ViT, BackboneWeights for weights that
    are missing, unreadable or of another architecture.
    """
    vit = _build_empty(name)
    if name == EMBEDDED_BACKBONE and weights is None:
        with resources.as_file(resources.files("adapters") / "assets" / f"{name}.safetensors") as asset:
            state = _read_weights(asset)
    else:
        path = weights or local_weights(name)
        if path is None:
            path, revision = _download(name, vit, revision)
        state = _read_weights(path)
    _load_state(vit, state, name, mapped=mapped)
    digest = weights_digest(vit.state_dict())
    if image_size is not None:
        vit.set_input_size(img_size=(image_size, image_size))
    return Backbone(vit, _describe(vit, name, revision, digest))


def open_backbone(config: BackboneConfig, *, weights: Path | None = None, mapped: bool = False) -> Backbone:
    """Load the backbone that a store names, and refuse any other weights (BackboneMismatch)."""
    backbone = load_backbone(
        config.name,
        weights=weights,
        revision=config.revision,
        image_size=config.image_size,
        mapped=mapped,
    )
    if backbone.config.sha256 != config.sha256:
        raise BackboneMismatch(
            f"the weights loaded for {config.name} have SHA-256 {backbone.config.sha256}, "
            f"but this store belongs to {config.sha256}"
        )
    return backbone


def random_backbone(name: str = EMBEDDED_BACKBONE, *, seed: int = 0, **overrides: Any) -> Backbone:
    """A ViT with random weights: the control every pre-training has to beat, and small ones for tests.

    `overrides` go to timm's VisionTransformer (embed_dim, depth, num_heads, …).
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vit = _build(name, **overrides)
    return Backbone(vit, _describe(vit, name, None, weights_digest(vit.state_dict())))


def local_weights(name: str) -> Path | None:
    """`$DVPT_DATA_ROOT/backbones/<name>.safetensors`, if it is there."""
    root = variable("DVPT_DATA_ROOT")
    path = Path(root, "backbones", f"{name}.safetensors") if root else None
    return path if path is not None and path.is_file() else None


def weights_digest(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over the names, shapes and float32 bytes of a ViT's weights, classifier left out."""
    digest = hashlib.sha256()
    for name in sorted(state):
        if not name.startswith("head."):
            tensor = state[name].detach().to("cpu", torch.float32).contiguous()
            digest.update(f"{name}{tuple(tensor.shape)}".encode())
            digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _build_empty(name: str) -> VisionTransformer:
    """The module, its weights not yet written: drawing a ViT-B's takes longer than reading them."""
    with torch.device("meta"):
        vit = _build(name)
    return vit.to_empty(device="cpu")


def _build(name: str, **overrides: Any) -> VisionTransformer:
    if name == EMBEDDED_BACKBONE:
        shape: dict[str, Any] = {
            "img_size": 64, "patch_size": 8, "embed_dim": 192, "depth": 6, "num_heads": 3,
        }  # fmt: skip
        return VisionTransformer(**(shape | {"num_classes": 0} | overrides))
    if not timm.is_model(name.partition(".")[0]):
        close = difflib.get_close_matches(name, timm.list_models("*vit*"), n=3)
        hint = f"; did you mean {', '.join(close)}?" if close else ""
        raise UnsupportedBackbone(f"timm knows no model called '{name}'{hint}")
    try:
        model = timm.create_model(name, pretrained=False, num_classes=0, **overrides)
    except RuntimeError as error:
        raise UnsupportedBackbone(f"timm cannot build '{name}': {error}") from error
    return _require_plain_vit(model, name)


def _require_plain_vit(model: nn.Module, name: str) -> VisionTransformer:
    """Refuse what the prompts would silently break on: windows, hierarchies, distillation, odd pooling."""
    if type(model) is not VisionTransformer:
        raise UnsupportedBackbone(
            f"'{name}' is a timm {type(model).__name__}, not a plain VisionTransformer; "
            "DVPT needs one with class-token or average pooling, such as vit_base_patch16_224"
        )
    if model.global_pool not in POOLINGS:
        raise UnsupportedBackbone(
            f"'{name}' pools by '{model.global_pool}'; supported are {' and '.join(POOLINGS)}"
        )
    if type(model.patch_embed) is not PatchEmbed:
        raise UnsupportedBackbone(
            f"'{name}' makes its patches with a {type(model.patch_embed).__name__}, not with one convolution"
        )
    if len(set(model.patch_embed.img_size)) != 1 or len(set(model.patch_embed.patch_size)) != 1:
        raise UnsupportedBackbone(f"'{name}' does not take square pictures in square patches")
    return model


def _read_weights(path: Path) -> dict[str, Tensor]:
    if path.suffix != ".safetensors":
        raise BackboneWeights(f"weights must be a .safetensors file (pickles are never read): {path}")
    try:
        return load_file(path)
    except FileNotFoundError as error:
        raise BackboneWeights(f"no weights at {path}") from error
    except (SafetensorError, OSError) as error:
        raise BackboneWeights(f"cannot read weights {path}: {error}") from error


def _load_state(vit: VisionTransformer, state: dict[str, Tensor], name: str, *, mapped: bool) -> None:
    own = vit.state_dict()
    kept = {key: value for key, value in state.items() if not key.startswith("head.")}
    wrong = sorted(
        f"{key} is {list(kept[key].shape)}, not {list(own[key].shape)}"
        for key in own.keys() & kept.keys()
        if kept[key].shape != own[key].shape
    )
    wrong += [f"{key} is missing" for key in sorted(own.keys() - kept.keys())]
    wrong += [f"{key} is unknown" for key in sorted(kept.keys() - own.keys())]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise BackboneWeights(f"these weights do not fit {name}: {'; '.join(wrong[:3])}{more}")
    if mapped:  # safetensors maps the file; a copy is made of what has another type alone
        kept = {key: value.to(own[key].dtype) for key, value in kept.items()}
    vit.load_state_dict(kept, assign=mapped)


def _download(name: str, vit: VisionTransformer, revision: str | None) -> tuple[Path, str]:
    """Fetch `model.safetensors` from the hub and return it with the exact commit it came from."""
    pretrained = _pretrained(vit)
    repository = str(pretrained.get("hf_hub_id") or "")
    if not repository:
        raise BackboneWeights(f"{name} has no weights on the hub; give a local file with --weights FILE")
    try:
        commit = revision or str(model_info(repository).sha)
        return Path(hf_hub_download(repository, "model.safetensors", revision=commit)), commit
    except Exception as error:  # the hub's client passes on what its HTTP library raises, and that changes
        raise BackboneWeights(
            f"cannot download {repository}/model.safetensors ({type(error).__name__}); without a network "
            f"give --weights FILE or put it at $DVPT_DATA_ROOT/backbones/{name}.safetensors"
        ) from error


def _describe(vit: VisionTransformer, name: str, revision: str | None, digest: str) -> BackboneConfig:
    pretrained = _pretrained(vit)
    return BackboneConfig(
        name=name,
        revision=revision,
        sha256=digest,
        image_size=vit.patch_embed.img_size[0],
        patch_size=vit.patch_embed.patch_size[0],
        width=vit.embed_dim,
        depth=len(vit.blocks),
        mean=pretrained.get("mean", (0.5, 0.5, 0.5)),
        std=pretrained.get("std", (0.5, 0.5, 0.5)),
    )


def _pretrained(vit: VisionTransformer) -> dict[str, Any]:
    """The record timm keeps of a model: where its weights are and how its input is normalized."""
    return cast("dict[str, Any]", getattr(vit, "pretrained_cfg", None) or {})


def _channels(values: Channels) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).view(1, 3, 1, 1)
