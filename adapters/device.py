"""Which device and which precision `auto` means, for training and serving alike."""

from pathlib import Path

import torch

from adapters.errors import ConfigError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
BF16_CPU_FLAGS = frozenset({"amx_bf16", "avx512_bf16"})


def choose_device(setting: str) -> torch.device:
    """`auto`, `cpu`, `cuda` or `cuda:N` → a device that is there. Raises ConfigError."""
    if setting == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(setting)
    except RuntimeError as error:
        raise ConfigError(f"no device is called '{setting}'; expected auto, cpu or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"device '{setting}' is not supported; expected auto, cpu or cuda:N")
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        raise ConfigError(f"there is no device {setting}: torch sees {count} CUDA devices")
    return device


def choose_dtype(setting: str, device: torch.device) -> torch.dtype:
    """`auto`, `fp32`, `bf16` or `fp16` → dtype; auto takes bfloat16 where it is computed natively."""
    if setting != "auto":
        return DTYPES[setting]
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = cpu_computes_bf16()
    return torch.bfloat16 if native else torch.float32


def cpu_computes_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor multiplies bfloat16 itself; without it, bfloat16 is slower than float32."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return not BF16_CPU_FLAGS.isdisjoint(flags.split())
