from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from adapters.bank.bank import AdapterBank
from adapters.errors import BackboneMismatch
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.layout import Layout
from adapters.kinds.linear.options import LinearOptions
from adapters.store.artifact import adapter_of
from adapters.vit.backbone import EMBEDDED_BACKBONE, Backbone, random_backbone
from service.engine import torch_engine
from service.engine.graphs import Captured, Graphs
from service.engine.torch_engine import TorchEngine
from service.errors import DeviceLost, InferenceFailed, OutOfDeviceMemory, OutputNotFinite
from tests.support.artifacts import MakeArtifact
from tests.support.backbones import save_weights
from tests.support.pictures import pixels

CPU = torch.device("cpu")
BARE = Layout(LinearOptions())


@pytest.fixture(scope="session")
def backbone() -> Backbone:
    """The embedded architecture with random weights: the engine loads its backbone by name."""
    return random_backbone(seed=3)


@pytest.fixture(scope="session")
def weights(backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_weights(backbone, tmp_path_factory.mktemp("weights") / f"{EMBEDDED_BACKBONE}.safetensors")


@pytest.fixture
def bank(backbone: Backbone) -> AdapterBank:
    return AdapterBank(backbone.config, device=CPU, dtype=torch.float32, slots_per_layout=8)


@pytest.fixture
def engine(backbone: Backbone, bank: AdapterBank, weights: Path) -> TorchEngine:
    made = TorchEngine(backbone.config, bank, device=CPU, dtype=torch.float32, weights=weights)
    made.start()
    return made


def pictures(count: int) -> list[torch.Tensor]:
    return list(pixels(count, 64, seed=5))


def test_rows_are_the_reference_forward_s_probabilities(
    engine: TorchEngine, bank: AdapterBank, backbone: Backbone, make_artifact: MakeArtifact
) -> None:
    artifacts = [make_artifact(seed, class_count=classes) for seed, classes in enumerate((3, 20, 5))]
    slots = [bank.insert(artifact.config, artifact.tensors) for artifact in artifacts]
    images = pictures(3)

    rows = engine.infer(images, slots)

    for image, artifact, row in zip(images, artifacts, rows, strict=True):
        reference = adapter_of(artifact, backbone.config)(backbone, image[None]).softmax(-1)[0]
        assert not isinstance(row, InferenceFailed)
        np.testing.assert_allclose(row, reference.numpy(), atol=1e-4)
        assert row.dtype == np.float32


def test_a_large_batch_goes_in_pieces_and_answers_the_same(
    engine: TorchEngine, bank: AdapterBank, make_artifact: MakeArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifacts = [make_artifact(seed) for seed in range(5)]
    slots = [bank.insert(artifact.config, artifact.tensors) for artifact in artifacts]
    images = pictures(5)
    whole = engine.infer(images, slots)
    pieces: list[int] = []
    embed = Backbone.embed

    def counted(backbone: Backbone, images: torch.Tensor) -> torch.Tensor:
        pieces.append(len(images))
        return embed(backbone, images)

    monkeypatch.setattr(Backbone, "embed", counted)
    monkeypatch.setattr(torch_engine, "CPU_PATCHES", 2 * 8 * 8)

    for row, expected in zip(engine.infer(images, slots), whole, strict=True):
        assert not isinstance(row, InferenceFailed)
        assert not isinstance(expected, InferenceFailed)
        np.testing.assert_allclose(row, expected, atol=1e-5)
    assert pieces == [2, 2, 1]


def test_a_row_that_is_not_finite_is_that_row_s_error_alone(
    engine: TorchEngine, bank: AdapterBank, make_artifact: MakeArtifact
) -> None:
    good, bad = make_artifact(1), make_artifact(2)
    poisoned = {name: tensor.clone() for name, tensor in bad.tensors.items()}
    poisoned["head.0.weight"][1, 0] = torch.nan
    slots = [bank.insert(good.config, good.tensors), bank.insert(bad.config, poisoned)]

    fine, failed = engine.infer(pictures(2), slots)

    assert isinstance(failed, OutputNotFinite)
    assert isinstance(fine, np.ndarray)


def test_warming_needs_no_adapter(engine: TorchEngine, backbone: Backbone) -> None:
    engine.warm(Layout.of(DvptOptions(), backbone.config))


def test_an_engine_must_be_started(backbone: Backbone, bank: AdapterBank) -> None:
    engine = TorchEngine(backbone.config, bank, device=CPU, dtype=torch.float32)

    with pytest.raises(InferenceFailed, match="not started"):
        engine.infer(pictures(1), [bank.null_slot(BARE)])


def test_other_weights_are_refused(bank: AdapterBank, weights: Path) -> None:
    other = random_backbone(seed=4).config
    engine = TorchEngine(other, bank, device=CPU, dtype=torch.float32, weights=weights)

    with pytest.raises(BackboneMismatch):
        engine.start()


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), OutOfDeviceMemory),
        (MemoryError(), OutOfDeviceMemory),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), OutOfDeviceMemory),
        (torch.AcceleratorError("CUDA error: an illegal memory access"), DeviceLost),
        (RuntimeError("CUDA error: device-side assert triggered"), DeviceLost),
        (RuntimeError("shape mismatch"), RuntimeError),
    ],
)
def test_device_faults_are_told_apart(
    engine: TorchEngine,
    bank: AdapterBank,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    meaning: type[Exception],
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("service.engine.torch_engine.features_mixed", fail)

    with pytest.raises(meaning) as raised:
        engine.infer(pictures(1), [bank.null_slot(BARE)])
    assert type(raised.value) is meaning


def test_captured_batches_answer_as_the_others(
    engine: TorchEngine, bank: AdapterBank, make_artifact: MakeArtifact
) -> None:
    artifacts = [make_artifact(seed, class_count=3 + seed) for seed in range(3)]
    slots = [bank.insert(artifact.config, artifact.tensors) for artifact in artifacts]
    images = pictures(3)
    expected = engine.infer(images, slots)
    captured: list[int] = []

    def capture(run: Callable[[], torch.Tensor]) -> Captured:
        result = run()
        captured.append(len(result))
        return Captured(result, lambda: result.copy_(run()))

    engine._graphs = Graphs(engine._forward, capture, CPU, 64, most_layouts=2, most_rows=64)
    for count in (3, 1, 2):
        for row, own in zip(engine.infer(images[:count], slots[:count]), expected, strict=False):
            assert isinstance(row, np.ndarray)
            assert isinstance(own, np.ndarray)
            np.testing.assert_allclose(row, own, atol=1e-6)
    assert captured == [4, 1, 2]
