"""What only a GPU can show; skipped without one."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from adapters.bank.bank import AdapterBank
from adapters.kinds.affine.options import AffineOptions
from adapters.kinds.bottleneck.options import BottleneckOptions
from adapters.kinds.combined.options import CombinedOptions
from adapters.kinds.layout import Slot
from adapters.kinds.options import KindOptions
from adapters.vit.backbone import EMBEDDED_BACKBONE, Backbone, random_backbone
from service.engine import torch_engine
from service.engine.kernels import fuse
from service.engine.torch_engine import TorchEngine, Tuning
from tests.support.artifacts import MakeArtifact
from tests.support.backbones import save_weights
from tests.support.pictures import pixels

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
NewEngine = Callable[..., TorchEngine]


@pytest.fixture(scope="session")
def backbone() -> Backbone:
    """The embedded architecture with random weights."""
    return random_backbone(seed=3)


@pytest.fixture
def new_engine(backbone: Backbone, tmp_path: Path) -> NewEngine:
    weights = save_weights(backbone, tmp_path / f"{EMBEDDED_BACKBONE}.safetensors")

    def make(
        bank: AdapterBank, dtype: torch.dtype, graph_layouts: int = 0, *, compiled: bool = False
    ) -> TorchEngine:
        engine = TorchEngine(
            backbone.config, bank, device=torch.device("cuda"), dtype=dtype, weights=weights,
            tuning=Tuning(graph_layouts=graph_layouts, compiled=compiled),
        )  # fmt: skip
        engine.start()
        return engine

    return make


def new_bank(backbone: Backbone, dtype: torch.dtype) -> AdapterBank:
    return AdapterBank(backbone.config, device=torch.device("cuda"), dtype=dtype, slots_per_layout=16)


def answers(engine: TorchEngine, images: list[torch.Tensor], slots: list[Slot]) -> list[NDArray[np.float32]]:
    rows = engine.infer(images, slots)
    assert all(isinstance(row, np.ndarray) for row in rows)
    return [row for row in rows if isinstance(row, np.ndarray)]


def new_slots(bank: AdapterBank, make_artifact: MakeArtifact, kinds: Sequence[KindOptions]) -> list[Slot]:
    """Seven adapters of these kinds in turn, whose rows share a pass."""
    artifacts = [
        make_artifact(seed, class_count=3 + seed, options=kinds[seed % len(kinds)]) for seed in range(7)
    ]
    slots = [bank.insert(artifact.config, artifact.tensors) for artifact in artifacts]
    assert len({slot.layout for slot in slots}) == 1
    return slots


@pytest.mark.parametrize(
    ("dtype", "atol"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2), (torch.float16, 2e-3)]
)
def test_a_replayed_graph_answers_as_the_eager_pass_on_mixed_slots(
    backbone: Backbone, new_engine: NewEngine, make_artifact: MakeArtifact, dtype: torch.dtype, atol: float
) -> None:
    bank = new_bank(backbone, dtype)
    eager, captured = new_engine(bank, dtype, 0), new_engine(bank, dtype, 4)
    artifacts = [make_artifact(seed, class_count=3 + seed) for seed in range(7)]
    slots = [bank.insert(artifact.config, artifact.tensors) for artifact in artifacts]
    images = list(pixels(40, 64))
    for count in (1, 3, 8, 33, 40):
        rows = [slots[row % 7] for row in range(count)]
        expected = answers(eager, images[:count], rows)
        for row, own in zip(answers(captured, images[:count], rows), expected, strict=True):
            np.testing.assert_allclose(row, own, atol=atol)


@pytest.mark.parametrize(
    "kinds",
    [
        [AffineOptions(), BottleneckOptions()],
        [AffineOptions(biases=True)],
        [CombinedOptions(), CombinedOptions(bottleneck=None)],
        [CombinedOptions(bottleneck=BottleneckOptions(width=20))],
    ],
)
@pytest.mark.parametrize(
    ("dtype", "atol"), [(torch.float32, 1e-4), (torch.bfloat16, 6e-2), (torch.float16, 1e-2)]
)
def test_rows_are_moved_in_captured_kernels_as_they_are_without(
    backbone: Backbone,
    new_engine: NewEngine,
    make_artifact: MakeArtifact,
    monkeypatch: pytest.MonkeyPatch,
    kinds: Sequence[KindOptions],
    dtype: torch.dtype,
    atol: float,
) -> None:
    pytest.importorskip("triton", reason="no Triton for this platform")
    bank = new_bank(backbone, dtype)
    captured = Mock(wraps=fuse)
    monkeypatch.setattr(torch_engine, "fuse", captured)
    fused, plain = new_engine(bank, dtype, 1), new_engine(bank, dtype)
    captured.assert_called_once()
    assert fuse(*captured.call_args.args).fused
    slots = new_slots(bank, make_artifact, kinds)
    images = list(pixels(40, 64))
    for count in (1, 7, 40):
        rows = [slots[row % 7] for row in range(count)]
        expected = answers(plain, images[:count], rows)
        for row, own in zip(answers(fused, images[:count], rows), expected, strict=True):
            np.testing.assert_allclose(row, own, atol=atol)


def test_an_adapter_loaded_after_the_capture_is_seen(
    backbone: Backbone, new_engine: NewEngine, make_artifact: MakeArtifact
) -> None:
    bank = new_bank(backbone, torch.float32)
    engine = new_engine(bank, torch.float32, 1)
    image = list(pixels(1, 64))
    seen = []
    for seed in range(2):
        artifact = make_artifact(seed, class_count=5)
        slot = bank.insert(artifact.config, artifact.tensors)
        seen += answers(engine, image, [slot])
        bank.remove(slot)
    assert not np.allclose(seen[0], seen[1])


@pytest.mark.parametrize("graph_layouts", [0, 1])
def test_compiled_rows_are_the_eager_ones_on_mixed_slots(
    backbone: Backbone, new_engine: NewEngine, make_artifact: MakeArtifact, graph_layouts: int
) -> None:
    bank = new_bank(backbone, torch.float32)
    eager, compiled = (
        new_engine(bank, torch.float32),
        new_engine(bank, torch.float32, graph_layouts, compiled=True),
    )
    artifacts = [make_artifact(seed, class_count=3 + seed) for seed in range(4)]
    slots = [bank.insert(artifact.config, artifact.tensors) for artifact in artifacts]
    images = list(pixels(9, 64))
    for count in (1, 4, 9):
        rows = [slots[row % 4] for row in range(count)]
        expected = answers(eager, images[:count], rows)
        for row, own in zip(answers(compiled, images[:count], rows), expected, strict=True):
            np.testing.assert_allclose(row, own, atol=1e-4)


def test_pictures_staged_on_many_threads_while_batches_run_are_answered_as_they_are(
    backbone: Backbone, new_engine: NewEngine, make_artifact: MakeArtifact
) -> None:
    bank = new_bank(backbone, torch.float32)
    engine = new_engine(bank, torch.float32)
    artifact = make_artifact(1, class_count=5)
    slot = bank.insert(artifact.config, artifact.tensors)
    images = list(pixels(256, 64))
    expected = answers(engine, images, [slot] * len(images))
    with ThreadPoolExecutor(8) as pool:
        # Memory of answered pictures goes back to the threads' streams while later ones are staged.
        staged = [pool.submit(engine.stage, image) for image in images]
        for first in range(0, len(images), 16):
            batch = [staged[row].result() for row in range(first, first + 16)]
            assert all(image.device.type == "cuda" for image in batch)
            staged[first : first + 16] = [pool.submit(lambda: torch.empty(0))] * 16
            own = answers(engine, batch, [slot] * 16)
            del batch
            for row, alone in zip(own, expected[first : first + 16], strict=True):
                np.testing.assert_allclose(row, alone, atol=1e-5)
