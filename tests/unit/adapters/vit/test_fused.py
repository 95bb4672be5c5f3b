"""Kernels against torch: on a GPU where there is one, in Triton's interpreter otherwise.

Triton must be told to interpret before it is imported: these tests run again in a process of their own.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from adapters.vit.backbone import Backbone
from adapters.vit.row_parameters import Affine, Biases, Bottleneck, RowParameters
from tests.support.backbones import tiny_backbone
from tests.support.pictures import pixels

pytest.importorskip("triton", reason="no Triton for this platform")

from adapters.vit import fused, kernels

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = torch.device("cpu" if INTERPRETED or not torch.cuda.is_available() else "cuda")
runs = pytest.mark.skipif(
    not INTERPRETED and DEVICE.type == "cpu", reason="in the interpreter, by the test that starts it"
)
ULP = {torch.float32: 3e-5, torch.float16: 2**-10, torch.bfloat16: 2**-7}
WIDTHS = pytest.mark.parametrize("width", [192, 100, 768])
COUNTS = pytest.mark.parametrize("count", [1, 35])
DTYPES = pytest.mark.parametrize("dtype", list(ULP))
ROWS, DEPTH, WIDTH = 2, 2, 48
VARIANTS: dict[str, dict[str, Any]] = {
    "class token": {},
    "average, registers, layer scale": {"global_pool": "avg", "reg_tokens": 2, "init_values": 0.5},
}


@pytest.mark.slow
@pytest.mark.skipif(INTERPRETED or DEVICE.type == "cuda", reason="they run here themselves")
def test_everything_here_holds_in_the_interpreter() -> None:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", __file__]
    root = Path(__file__).parents[4]
    told = subprocess.run(
        command, env=os.environ | {"TRITON_INTERPRET": "1"}, cwd=root, capture_output=True, text=True,
        check=False, timeout=200,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout[-5000:]
    assert " passed" in told.stdout


def random(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, device=DEVICE).to(dtype)


def strided(count: int, width: int, dtype: torch.dtype) -> Tensor:
    """Tokens that are the first of more."""
    return random(ROWS, count + 3, width, dtype=dtype)[:, :count]


def affines(width: int, dtype: torch.dtype) -> list[Affine]:
    """Of two places of one layer, as the bank's are gathered."""
    scale, shift = (random(ROWS, 3, 4, 1, width, dtype=dtype) for _ in range(2))
    return [Affine(scale[:, 1], shift[:, 1]).of_place(place) for place in (1, 2)]


def random_norm(width: int, dtype: torch.dtype) -> nn.LayerNorm:
    norm = nn.LayerNorm(width, eps=1e-6, device=DEVICE, dtype=dtype).requires_grad_(False)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm


def normed(x: Tensor, norm: nn.LayerNorm, own: Affine) -> Tensor:
    out = F.layer_norm(x.double(), norm.normalized_shape, norm.weight.double(), norm.bias.double(), norm.eps)
    return (out * own.scale + own.shift).float()


def summed(x: Tensor, branch: Tensor, own: Affine) -> Tensor:
    return x.float() + branch.float() * own.scale.float() + own.shift.float()


def assert_rounded(found: Tensor, expected: Tensor) -> None:
    """Within a unit in the last place; the interpreter cuts a bfloat16 off."""
    step = ULP[found.dtype]
    torch.testing.assert_close(found.float(), expected, rtol=step, atol=step)


@runs
@DTYPES
@COUNTS
@WIDTHS
def test_a_moved_norm_is_torchs(width: int, count: int, dtype: torch.dtype) -> None:
    x, norm, (own, _) = strided(count, width, dtype), random_norm(width, dtype), affines(width, dtype)
    x[0] += 3  # a mean far from 0, by which columns beyond the width would show
    assert_rounded(fused.moved_norm(x, norm, own), normed(x, norm, own))


@runs
@DTYPES
@COUNTS
@WIDTHS
def test_a_moved_sum_and_its_norm_are_torchs(width: int, count: int, dtype: torch.dtype) -> None:
    x, branch = strided(count, width, dtype), random(ROWS, count, width, dtype=dtype)
    norm, (own, behind) = random_norm(width, dtype), affines(width, dtype)
    total, read = fused.moved_sum_and_norm(x, branch, own, norm, behind)
    assert_rounded(total, summed(x, branch, own))
    assert_rounded(read, normed(total, norm, behind))


@runs
@pytest.mark.parametrize("rank", [0, 8, 11, 17])
@DTYPES
@pytest.mark.parametrize(("width", "count"), [(192, 1), (100, 35), (768, 17)])
def test_a_moved_sum_is_torchs(width: int, count: int, dtype: torch.dtype, rank: int) -> None:
    x, branch = strided(count, width, dtype), random(ROWS, count, width, dtype=dtype)
    (own, _) = affines(width, dtype)
    expected, beside = summed(x, branch, own), None
    if rank:
        beside = random(ROWS, count, rank, dtype=dtype), random(ROWS, 3, width, rank, dtype=dtype)[:, 1]
        if rank > fused.MOST_RANK:
            expected = expected.to(dtype).float()
        expected = expected + beside[0].float() @ beside[1].float().transpose(1, 2)
    found = fused.moved_sum(x, branch, own, beside)
    step = ULP[dtype]
    torch.testing.assert_close(found.float(), expected, rtol=step, atol=step * (2 if rank <= 16 else 16))


@runs
def test_one_row_is_as_it_is_among_others_and_all_may_share_an_affine() -> None:
    x, norm, (own, _) = (
        strided(5, WIDTH, torch.float32),
        random_norm(WIDTH, torch.float32),
        affines(WIDTH, torch.float32),
    )
    found = fused.moved_norm(x, norm, own)
    first = Affine(own.scale[:1], own.shift[:1])
    torch.testing.assert_close(fused.moved_norm(x[:1], norm, first), found[:1])
    torch.testing.assert_close(fused.moved_norm(x, norm, first)[:1], found[:1])
    assert_rounded(fused.moved_norm(x, norm, first), normed(x, norm, first))


def rows_of(parts: str) -> RowParameters:
    affine = Affine(1 + 0.3 * random(ROWS, DEPTH, 4, WIDTH), 0.3 * random(ROWS, DEPTH, 4, WIDTH))
    rank = 17 if "wide" in parts else 8
    bottleneck = Bottleneck(
        random(ROWS, DEPTH, rank, WIDTH), random(ROWS, DEPTH, rank), random(ROWS, DEPTH, WIDTH, rank)
    )
    biases = Biases(random(ROWS, 2, WIDTH), random(ROWS, DEPTH, 3 * WIDTH), random(ROWS, DEPTH, 4 * WIDTH))
    return RowParameters(
        random(ROWS, DEPTH, 3, WIDTH) if "prompts" in parts else None,
        affine if "affine" in parts else None,
        bottleneck if "bottleneck" in parts else None,
        biases if "biases" in parts else None,
    )


def prepared(variant: str) -> Backbone:
    backbone = tiny_backbone(**VARIANTS[variant])
    with torch.no_grad():  # biases of a new ViT are all zero
        for parameter in backbone.vit.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return backbone.prepare(DEVICE, torch.float32)


@runs
@pytest.mark.parametrize(
    "parts",
    [
        "affine",
        "affine, biases",
        "prompts, affine",
        "affine, bottleneck",
        "prompts, affine, wide bottleneck",
        "bottleneck",
        "prompts",
    ],
)
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_fused_pass_is_the_plain_one(variant: str, parts: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, rows, images = prepared(variant), rows_of(parts), pixels(ROWS).to(DEVICE)
    launched = Mock(wraps=fused.moved_sum)
    with torch.inference_mode():
        plain = backbone.encode(backbone.embed(images), rows)
        backbone.fuse()
        monkeypatch.setattr(fused, "moved_sum", launched)
        found = backbone.encode(backbone.embed(images), rows)
    assert launched.call_count == (DEPTH if "affine" in parts else 0)
    torch.testing.assert_close(found, plain, atol=1e-4, rtol=1e-4)


@runs
def test_gradients_go_the_plain_way() -> None:
    backbone, rows = prepared("class token").fuse(), rows_of("affine, bottleneck")
    assert rows.affine is not None
    rows.affine.scale.requires_grad_()
    torch.autograd.backward(backbone.encode(backbone.embed(pixels(ROWS).to(DEVICE)), rows).sum())
    assert rows.affine.scale.grad is not None


@pytest.mark.slow
@pytest.mark.skipif(INTERPRETED, reason="what is interpreted is not compiled")
@pytest.mark.parametrize(("dtype", "name"), [(torch.bfloat16, "*bf16"), (torch.float32, "*fp32")])
def test_every_kernel_compiles_for_an_h100(
    dtype: torch.dtype, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interpreter takes much that the compiler does not; no GPU is needed for it."""
    compiled: list[str] = []

    class Launcher:
        def __init__(self, kernel: Any) -> None:
            self.kernel = kernel

        def __getitem__(self, grid: tuple[int]) -> Callable[..., None]:
            return lambda *given, **options: compiled.append(ahead_of_time(self.kernel, name, given, options))

    launchers = {own: Launcher(getattr(kernels, own)) for own in ("norm", "sum_and_norm", "sum_of_branches")}
    monkeypatch.setattr(fused, "kernels", SimpleNamespace(**launchers))
    fused.try_out(nn.LayerNorm(WIDTH, dtype=dtype))
    assert len(compiled) == 4
    assert all(".target sm_90" in own for own in compiled)


def ahead_of_time(kernel: Any, pointer: str, given: tuple[Any, ...], options: dict[str, Any]) -> str:
    """The assembly of a launch with these arguments."""
    from triton import compile as build  # noqa: PLC0415
    from triton.backends.compiler import GPUTarget  # noqa: PLC0415
    from triton.compiler import ASTSource  # noqa: PLC0415

    types, constants = {}, {}
    for place, (own, value) in enumerate(zip(kernel.params, given, strict=True)):
        if own.is_constexpr or value is None:
            types[own.name], constants[place,] = "constexpr", value
        else:
            types[own.name] = {int: "i32", float: "fp32"}.get(type(value), pointer)
    source = ASTSource(fn=kernel, signature=types, constexprs=constants)
    return str(build(source, target=GPUTarget("cuda", 90, 32), options=options).asm["ptx"])
