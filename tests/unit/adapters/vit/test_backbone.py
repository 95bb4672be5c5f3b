"""The frozen ViT against timm's own forward, its digest, and what it refuses."""

from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import HfApi
from safetensors.torch import save_file
from torch import Tensor, nn

from adapters.errors import BackboneMismatch, BackboneWeights, UnsupportedBackbone
from adapters.vit.backbone import (
    EMBEDDED_BACKBONE,
    Backbone,
    load_backbone,
    open_backbone,
    random_backbone,
    weights_digest,
)
from adapters.vit.patches import FoldedPatches
from adapters.vit.row_parameters import RowParameters
from tests.support.pictures import pixels

CPU = torch.device("cpu")
TINY: dict[str, Any] = {"embed_dim": 48, "depth": 2, "num_heads": 2}
KINDS = {
    "class token": ("vit_tiny_patch16_224", {"img_size": 32, **TINY}),
    "average pooling": ("vit_base_patch16_gap_224", {"img_size": 32, **TINY}),
    "register tokens": ("vit_small_patch14_reg4_dinov2", {"img_size": 28, **TINY}),
    "norm_pre": ("vit_base_patch32_clip_224", {"img_size": 64, **TINY}),
    "64 px": (EMBEDDED_BACKBONE, {}),
    "224 px": ("vit_tiny_patch16_224", TINY),
}


def pictures(backbone: Backbone, count: int = 3) -> Tensor:
    size = backbone.config.image_size
    return pixels(count, size)


@pytest.mark.parametrize("kind", KINDS)
def test_without_prompts_the_features_are_those_of_timm(kind: str) -> None:
    name, overrides = KINDS[kind]
    backbone = random_backbone(name, **overrides)
    images = pictures(backbone)
    normalized = (images.float() / 255 - backbone.mean) / backbone.std
    expected = backbone.vit.forward_head(backbone.vit.forward_features(normalized), pre_logits=True)
    assert torch.allclose(backbone.encode(backbone.embed(images)), expected, atol=1e-5)


@pytest.mark.parametrize("gradients", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_deep_prompts_replace_the_outputs_of_the_previous_layer(kind: str, gradients: bool) -> None:
    name, overrides = KINDS[kind]
    backbone = random_backbone(name, **overrides)
    prompts = torch.randn(3, backbone.config.depth, 4, backbone.config.width)
    tokens = backbone.embed(pictures(backbone))
    prefix, x = backbone.prefix_count, tokens
    for layer, block in enumerate(backbone.vit.blocks):
        # Written the long way: split off the prefix and the patches, set the layer's prompts between.
        x = block(
            torch.cat([x[:, :prefix], prompts[:, layer], x[:, -backbone.patch_tokens(tokens).shape[1] :]], 1)
        )
    kept = torch.cat([x[:, :prefix], x[:, prefix + 4 :]], dim=1)
    expected = backbone.vit.forward_head(backbone.vit.norm(kept), pre_logits=True)
    with torch.set_grad_enabled(gradients):
        assert torch.allclose(backbone.encode(tokens, RowParameters(prompts)), expected, atol=1e-5)


def test_shallow_prompts_are_carried_on(backbone: Backbone) -> None:
    prompts = torch.randn(2, 1, 3, backbone.config.width)
    tokens = backbone.embed(pictures(backbone, 2))
    x = torch.cat([tokens[:, :1], prompts[:, 0], tokens[:, 1:]], dim=1)
    for block in backbone.vit.blocks:
        x = block(x)
    expected = backbone.vit.norm(x)[:, 0]
    assert torch.allclose(backbone.encode(tokens, RowParameters(prompts)), expected, atol=1e-5)


@pytest.mark.parametrize("count", [0, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_prepared_the_features_stay_the_same(kind: str, count: int) -> None:
    name, overrides = KINDS[kind]
    whole, short = (random_backbone(name, **overrides) for _ in range(2))
    short.prepare(CPU, torch.float32)
    images = pictures(whole)
    shape = (len(images), whole.config.depth, count, whole.config.width)
    rows = RowParameters(torch.randn(shape) if count else None)
    with torch.no_grad():
        expected = whole.encode(whole.embed(images), rows)
        torch.testing.assert_close(short.encode(short.embed(images), rows), expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize(("gradients", "last"), [(False, 1), (True, 65)])
def test_without_gradients_the_last_block_spares_the_other_tokens(gradients: bool, last: int) -> None:
    backbone = random_backbone(**TINY).prepare(CPU, torch.float32)
    blocks: Any = backbone.vit.blocks
    seen: list[int] = []
    for block in blocks:
        block.mlp.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[1]))
    with torch.set_grad_enabled(gradients):
        backbone.encode(backbone.embed(pictures(backbone)))
    assert seen == [65, last]


def test_a_last_block_of_another_kind_is_computed_whole() -> None:
    backbone = random_backbone(**TINY)
    last: Any = backbone.vit.blocks[-1]
    last.attn.gate = nn.Linear(TINY["embed_dim"], TINY["embed_dim"])  # as timm's gated attention
    expected = backbone.encode(tokens := backbone.embed(pictures(backbone)))
    with torch.no_grad():
        torch.testing.assert_close(backbone.prepare(CPU, torch.float32).encode(tokens), expected)


def test_weights_put_in_place_of_the_folded_ones_are_seen() -> None:
    backbone = random_backbone(**TINY).prepare(CPU, torch.float32)
    images = pictures(backbone)
    vit: Any = backbone.vit
    projection = vit.patch_embed.proj
    projection.weight = nn.Parameter(torch.zeros_like(projection.weight))
    projection.bias = nn.Parameter(torch.ones_like(projection.bias))
    tokens = backbone.patch_tokens(backbone.embed(images))
    torch.testing.assert_close(tokens - 1, vit.pos_embed[:, 1:].expand_as(tokens))


@pytest.mark.parametrize("normalization", ["half", "imagenet"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_folded_normalization_rounds_no_more_than_a_separate_one(
    dtype: torch.dtype, normalization: str
) -> None:
    name = {"half": "vit_tiny_patch16_224", "imagenet": "deit_tiny_patch16_224"}[normalization]
    exact, rounded = (random_backbone(name, img_size=64, **TINY) for _ in range(2))
    images = pictures(exact)
    expected = exact.vit.patch_embed(exact.normalize(images))
    folded = FoldedPatches(exact.vit.patch_embed, exact.mean, exact.std).to(dtype)(images)
    rounded.prepare(CPU, dtype)
    separate = rounded.vit.patch_embed(rounded.normalize(images).to(dtype))
    errors = [(own.float() - expected).square().mean() for own in (folded, separate)]
    assert errors[0] <= errors[1]


def test_the_weights_are_frozen_and_normalization_keeps_its_precision() -> None:
    backbone = random_backbone("deit_tiny_patch16_224", img_size=32, **TINY)
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    backbone.prepare(torch.device("cpu"), torch.bfloat16)
    assert backbone.dtype == torch.bfloat16
    assert backbone.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet18", "not a plain VisionTransformer"),
        ("swin_tiny_patch4_window7_224", "not a plain VisionTransformer"),
        ("deit_tiny_distilled_patch16_224", "not a plain VisionTransformer"),
        ("vit_base_patch16_siglip_224", "pools by 'map'"),
        ("vit_tiny_r_s16_p8_224", "makes its patches with"),
        ("vit_tinny_patch16_224", "did you mean"),
    ],
)
def test_anything_but_a_plain_vit_is_refused(name: str, message: str) -> None:
    with pytest.raises(UnsupportedBackbone, match=message):
        random_backbone(name)


def test_the_digest_covers_the_weights_and_not_the_classifier() -> None:
    state = random_backbone(img_size=32, **TINY).vit.state_dict()
    digest = weights_digest(state)
    assert weights_digest({**state, "head.bias": torch.ones(5)}) == digest
    assert weights_digest({**state, "cls_token": torch.ones(1, 1, 48)}) != digest


def test_another_input_size_resamples_positions_and_keeps_the_digest(data_root: Path) -> None:
    name = "vit_tiny_patch16_224.augreg_in21k_ft_in1k"
    weights = data_root / "backbones" / f"{name}.safetensors"
    native, small = (load_backbone(name, weights=weights, image_size=size) for size in (None, 64))
    assert (native.config.image_size, small.config.image_size) == (224, 64)
    assert native.config.sha256 == small.config.sha256
    assert small.embed(pictures(small)).shape == (3, 17, 192)


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    vit = random_backbone(img_size=64, embed_dim=96).vit
    save_file(vit.state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(BackboneWeights, match=r"do not fit .*proj.bias is \[96\], not \[192\]"):
        load_backbone(EMBEDDED_BACKBONE, weights=tmp_path / "other.safetensors")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("w.bin", b"x", "pickles are never read"),
        ("w.safetensors", None, "no weights at"),
        ("w.safetensors", b"\x08\x00\x00\x00\x00\x00\x00\x00broken!!", "cannot read weights"),
    ],
)
def test_unusable_weight_files(tmp_path: Path, file: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / file).write_bytes(content)
    with pytest.raises(BackboneWeights, match=message):
        load_backbone(EMBEDDED_BACKBONE, weights=tmp_path / file)


def test_without_weights_or_a_network_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.delenv("DVPT_DATA_ROOT", raising=False)
    with pytest.raises(BackboneWeights, match=r"cannot download timm/vit_tiny.*--weights FILE"):
        load_backbone("vit_tiny_patch16_224.augreg_in21k_ft_in1k")


def test_a_hub_that_cannot_be_reached_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.vit.backbone.model_info", HfApi("http://127.0.0.1:1").model_info)
    monkeypatch.delenv("DVPT_DATA_ROOT", raising=False)
    with pytest.raises(BackboneWeights, match=r"cannot download timm/vit_tiny.*ConnectError.*--weights FILE"):
        load_backbone("vit_tiny_patch16_224.augreg_in21k_ft_in1k")


def test_a_store_refuses_other_weights_of_the_same_architecture(tmp_path: Path) -> None:
    save_file(random_backbone(seed=1).vit.state_dict(), tmp_path / "one.safetensors")
    config = load_backbone(EMBEDDED_BACKBONE, weights=tmp_path / "one.safetensors").config
    save_file(random_backbone(seed=2).vit.state_dict(), tmp_path / "two.safetensors")
    assert open_backbone(config, weights=tmp_path / "one.safetensors").config == config
    with pytest.raises(BackboneMismatch, match=config.sha256):
        open_backbone(config, weights=tmp_path / "two.safetensors")


def test_loading_draws_no_random_weights() -> None:
    before = torch.get_rng_state()

    backbone = load_backbone(EMBEDDED_BACKBONE)

    assert torch.equal(torch.get_rng_state(), before)
    assert not any(tensor.is_meta for tensor in backbone.vit.state_dict().values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_mapped_weights_are_those_of_the_file_and_answer_alike(tmp_path: Path, dtype: torch.dtype) -> None:
    path = tmp_path / f"{EMBEDDED_BACKBONE}.safetensors"
    save_file({name: each.to(dtype) for name, each in random_backbone(seed=5).vit.state_dict().items()}, path)
    mapped, copied = (load_backbone(EMBEDDED_BACKBONE, weights=path, mapped=each) for each in (True, False))
    for backbone in (mapped, copied):
        backbone.prepare(torch.device("cpu"), torch.float32)

    images = pixels(2, 64)
    torch.testing.assert_close(mapped.encode(mapped.embed(images)), copied.encode(copied.embed(images)))
    assert mapped.config == copied.config
    assert {each.dtype for each in mapped.vit.parameters()} == {torch.float32}
    assert not any(each.requires_grad for each in mapped.parameters())
    in_file = f" {path}\n" in Path("/proc/self/maps").read_text()
    assert in_file == (dtype == torch.float32)


def test_what_is_written_into_mapped_weights_stays_in_this_process(tmp_path: Path) -> None:
    path = tmp_path / f"{EMBEDDED_BACKBONE}.safetensors"
    save_file(random_backbone(seed=5).vit.state_dict(), path)
    before = path.read_bytes()
    backbone = load_backbone(EMBEDDED_BACKBONE, weights=path, mapped=True)
    for parameter in backbone.parameters():
        parameter.data.zero_()

    assert path.read_bytes() == before
