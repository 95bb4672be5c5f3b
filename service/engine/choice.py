"""Which engine runs, on which device and in which precision."""

from dataclasses import dataclass
from functools import partial

import torch

from adapters.bank.bank import AdapterBank
from adapters.config import BackboneConfig
from adapters.cores import available_cores
from adapters.device import DTYPES, choose_device, choose_dtype
from adapters.errors import ConfigError
from adapters.vit.backbone import open_backbone
from adapters.vit.onnx import require_onnx
from service.engine.protocol import Engine
from service.engine.torch_engine import TorchEngine, Tuning
from service.settings import Settings

LARGEST_BATCH = {"cuda": 64, "cpu": 16}
ONNX_PRECISIONS = {"cpu": ("fp32",), "cuda": ("fp16", "fp32")}  # the first is what auto takes


@dataclass(frozen=True)
class EngineChoice:
    """`name` is torch or onnx; the bank is to be of the same device and dtype."""

    name: str
    device: torch.device
    dtype: torch.dtype

    @property
    def precision(self) -> str:
        """fp32, bf16 or fp16."""
        return next(name for name, dtype in DTYPES.items() if dtype == self.dtype)


def choose_engine(settings: Settings) -> EngineChoice:
    """What the settings mean on this machine. Raises ConfigError for what is not there or cannot be."""
    device = choose_device(settings.device)
    if settings.engine != "onnx":
        return EngineChoice("torch", device, choose_dtype(settings.precision, device))
    _require_onnx_on(device)
    allowed = ONNX_PRECISIONS[device.type]
    precision = allowed[0] if settings.precision == "auto" else settings.precision
    if precision not in allowed:
        raise ConfigError(
            f"the onnx engine computes in {' or '.join(allowed)} on {device.type}, not in {precision}; "
            "the torch engine does"
        )
    return EngineChoice("onnx", device, DTYPES[precision])


def engine_threads(settings: Settings, device: torch.device) -> int:
    """Threads of a forward pass on a CPU: one for each physical core, no more than a container may use.

    Several workers share the cores.

    0 leaves it to the library, on CUDA, where next to nothing runs on them.
    """
    if settings.torch_threads or device.type != "cpu":
        return settings.torch_threads
    return max(1, min(torch.get_num_threads(), available_cores()) // settings.workers)


def largest_batch(settings: Settings, device: torch.device) -> int:
    """Most pictures in one forward pass."""
    return settings.max_batch or LARGEST_BATCH[device.type]


def make_engine(
    choice: EngineChoice, settings: Settings, backbone: BackboneConfig, bank: AdapterBank
) -> Engine:
    """The engine, not yet started."""
    device, dtype, threads = choice.device, choice.dtype, engine_threads(settings, choice.device)
    if choice.name == "torch":
        tuning = Tuning(
            threads=threads,
            graph_layouts=settings.graph_layouts,
            most_rows=largest_batch(settings, device),
            compiled=settings.compile,
            mapped=settings.workers > 1,
        )
        weights = settings.weights
        return TorchEngine(backbone, bank, device=device, dtype=dtype, weights=weights, tuning=tuning)
    from service.engine.onnx.cache import GraphCache  # noqa: PLC0415 - what the onnx extra installs
    from service.engine.onnx.engine import OnnxEngine  # noqa: PLC0415

    load = partial(open_backbone, backbone, weights=settings.weights)
    cache = GraphCache(settings.onnx_cache)
    return OnnxEngine(load, bank, device=device, dtype=dtype, cache=cache, threads=threads)


def _require_onnx_on(device: torch.device) -> None:
    require_onnx()
    from service.engine.onnx.session import require_provider  # noqa: PLC0415 - what the onnx extra installs

    require_provider(device)
