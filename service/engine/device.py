"""Which device and which precision `auto` means."""

from pathlib import Path

import torch

from adapters.errors import ConfigError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
BF16_CPU_FLAGS = frozenset({"amx_bf16", "avx512_bf16"})


def choose_device(setting: str) -> torch.device:
    """`auto`, `cpu`, `cuda` or `cuda:N` → device. Raises ConfigError for one that is not there."""
    if setting == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(setting)
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if (device.index or 0) >= count:
            raise ConfigError(f"there is no device {setting}: torch sees {count} CUDA devices")
    return device


def choose_dtype(setting: str, device: torch.device) -> torch.dtype:
    """`auto`, `fp32`, `bf16` or `fp16` → dtype; auto takes bfloat16 where it is computed natively."""
    if setting != "auto":
        return DTYPES[setting]
    native = torch.cuda.is_bf16_supported(False) if device.type == "cuda" else cpu_computes_bf16()
    return torch.bfloat16 if native else torch.float32


def cpu_computes_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor multiplies bfloat16 itself; without it, bfloat16 is slower than float32."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return not BF16_CPU_FLAGS.isdisjoint(flags.split())
