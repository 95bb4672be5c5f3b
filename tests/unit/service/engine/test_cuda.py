"""What only a GPU can show; skipped without one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from adapters.artifact import Artifact
from adapters.backbone import EMBEDDED_BACKBONE, Backbone, random_backbone
from adapters.bank import AdapterBank
from adapters.layout import Slot
from service.engine.torch_engine import TorchEngine

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
MakeArtifact = Callable[..., Artifact]
NewEngine = Callable[[AdapterBank, torch.dtype, int], TorchEngine]


@pytest.fixture(scope="session")
def backbone() -> Backbone:
    """The embedded architecture with random weights."""
    return random_backbone(seed=3)


@pytest.fixture
def new_engine(backbone: Backbone, tmp_path: Path) -> NewEngine:
    weights = tmp_path / f"{EMBEDDED_BACKBONE}.safetensors"
    save_file({name: value.contiguous() for name, value in backbone.vit.state_dict().items()}, weights)

    def make(bank: AdapterBank, dtype: torch.dtype, graph_layouts: int) -> TorchEngine:
        engine = TorchEngine(
            backbone.config, bank, device=torch.device("cuda"), dtype=dtype, weights=weights,
            graph_layouts=graph_layouts,
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
    images = list(torch.randint(0, 256, (40, 3, 64, 64), dtype=torch.uint8))
    for count in (1, 3, 8, 33, 40):
        rows = [slots[row % 7] for row in range(count)]
        expected = answers(eager, images[:count], rows)
        for row, own in zip(answers(captured, images[:count], rows), expected, strict=True):
            np.testing.assert_allclose(row, own, atol=atol)


def test_an_adapter_loaded_after_the_capture_is_seen(
    backbone: Backbone, new_engine: NewEngine, make_artifact: MakeArtifact
) -> None:
    bank = new_bank(backbone, torch.float32)
    engine = new_engine(bank, torch.float32, 1)
    image = [torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8)]
    seen = []
    for seed in range(2):
        artifact = make_artifact(seed, class_count=5)
        slot = bank.insert(artifact.config, artifact.tensors)
        seen += answers(engine, image, [slot])
        bank.remove(slot)
    assert not np.allclose(seen[0], seen[1])
