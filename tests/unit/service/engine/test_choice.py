"""Which engine, device and precision the settings mean."""

from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch

from adapters.bank.bank import AdapterBank
from adapters.device import choose_dtype
from adapters.errors import ConfigError
from adapters.vit import onnx as onnx_graphs
from adapters.vit.backbone import Backbone
from service.engine import choice
from service.engine.choice import EngineChoice, choose_engine, engine_threads, largest_batch, make_engine
from service.engine.onnx.engine import OnnxEngine
from service.engine.onnx.session import require_provider
from service.engine.torch_engine import TorchEngine
from service.settings import Settings, settings_from

CPU = torch.device("cpu")


def settings(**chosen: Any) -> Settings:
    return settings_from({"store": "s", "device": "cpu", **chosen})


@pytest.mark.parametrize("engine", ["auto", "torch"])
def test_torch_is_the_default_in_the_device_s_own_precision(engine: str) -> None:
    assert choose_engine(settings(engine=engine)) == EngineChoice("torch", CPU, choose_dtype("auto", CPU))
    assert choose_engine(settings(engine=engine, precision="fp16")).precision == "fp16"


@pytest.mark.parametrize("precision", ["auto", "fp32"])
def test_onnx_computes_in_float32_on_a_cpu(precision: str) -> None:
    assert choose_engine(settings(engine="onnx", precision=precision)).precision == "fp32"


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_precision_that_onnx_runtime_lacks_is_refused(precision: str) -> None:
    with pytest.raises(ConfigError, match=f"computes in fp32 on cpu, not in {precision}"):
        choose_engine(settings(engine="onnx", precision=precision))


def test_onnx_without_its_packages_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_graphs, "PACKAGES", ("no_onnxruntime_here",))

    with pytest.raises(ConfigError, match=r"dvpt-serve\[onnx\]"):
        choose_engine(settings(engine="onnx"))


@pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="this ONNX Runtime has CUDA"
)
def test_cuda_without_its_provider_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"has no CUDAExecutionProvider.*install onnxruntime-gpu"):
        require_provider(torch.device("cuda"))


def test_a_cpu_s_threads_are_the_cores_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    monkeypatch.setattr(choice, "available_cores", lambda: 3)

    assert engine_threads(settings(), CPU) == 3
    assert engine_threads(settings(torch_threads=5), CPU) == 5
    assert engine_threads(settings(), torch.device("cuda")) == 0


def test_batches_are_as_large_as_the_device_gains_from_unless_told() -> None:
    assert [largest_batch(settings(), torch.device(kind)) for kind in ("cuda", "cpu")] == [64, 16]
    assert largest_batch(settings(max_batch=5), CPU) == 5


def test_the_engine_is_the_chosen_one(backbone: Backbone, tmp_path: Path) -> None:
    bank = AdapterBank(backbone.config, device=CPU, dtype=torch.float32, slots_per_layout=2)
    given = settings(onnx_cache=tmp_path)

    made = [
        make_engine(EngineChoice(name, CPU, torch.float32), given, backbone.config, bank)
        for name in ("torch", "onnx")
    ]

    assert [type(engine) for engine in made] == [TorchEngine, OnnxEngine]
