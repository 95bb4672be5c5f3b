"""Which device trains, and in which precision the frozen backbone runs there."""

from typing import Literal

import torch

from adapters.errors import ConfigError


def choose_device(wanted: str) -> torch.device:
    """`auto`, `cpu` or `cuda:N` → a device that is there. Raises ConfigError."""
    if wanted == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise ConfigError(f"no device is called '{wanted}'; expected auto, cpu or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"device '{wanted}' is not supported; expected auto, cpu or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(f"there is no {wanted}: {torch.cuda.device_count()} CUDA devices are visible")
    return device


def choose_dtype(precision: Literal["auto", "fp32", "bf16"], device: torch.device) -> torch.dtype:
    """The type of the backbone's weights; `auto` is bfloat16 where the processor multiplies it natively."""
    if precision == "auto":
        on_gpu = device.type == "cuda"
        native = torch.cuda.is_bf16_supported(including_emulation=False) if on_gpu else cpu_multiplies_bf16()
        return torch.bfloat16 if native else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32


def cpu_multiplies_bf16() -> bool:
    """Whether this processor has AMX tiles or AVX-512 BF16; without them bfloat16 is slower than float32."""
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()  # noqa: SLF001
