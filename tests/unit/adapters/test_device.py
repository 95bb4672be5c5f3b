from pathlib import Path

import pytest
import torch

from adapters.device import choose_device, choose_dtype, cpu_computes_bf16
from adapters.errors import ConfigError

CPU = torch.device("cpu")


def test_cpu_is_there() -> None:
    assert choose_device("cpu") == CPU
    assert choose_device("auto").type in ("cpu", "cuda")


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "mps"])
def test_a_device_that_is_not_there_is_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        choose_device(name)


def test_a_precision_that_is_named_is_taken() -> None:
    assert choose_dtype("fp32", CPU) == torch.float32
    assert choose_dtype("bf16", CPU) == torch.bfloat16
    assert choose_dtype("fp16", CPU) == torch.float16


@pytest.mark.parametrize(
    ("flags", "native"),
    [("fpu amx_bf16 sse", True), ("avx512_bf16", True), ("avx512f avx2", False), ("", False)],
)
def test_bf16_needs_a_processor_that_multiplies_it(tmp_path: Path, flags: str, native: bool) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")

    assert cpu_computes_bf16(cpuinfo) is native


def test_without_cpuinfo_float32_it_is(tmp_path: Path) -> None:
    assert not cpu_computes_bf16(tmp_path / "none")
