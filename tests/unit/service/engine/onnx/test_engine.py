"""ONNX Runtime answers a mixed batch as the reference forward does, and as the torch engine fails."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from adapters.bank.bank import AdapterBank
from adapters.kinds.affine.options import AffineOptions
from adapters.kinds.bottleneck.options import BottleneckOptions
from adapters.kinds.combined.options import CombinedOptions
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.layout import Layout, Slot
from adapters.kinds.linear.options import LinearOptions
from adapters.kinds.options import KindOptions
from adapters.store.artifact import Artifact, adapter_of
from adapters.vit.backbone import Backbone
from service.engine.onnx.cache import GraphCache
from service.engine.onnx.engine import OnnxEngine
from service.errors import InferenceFailed, OutputNotFinite
from tests.support.artifacts import random_artifact
from tests.support.backbones import tiny_backbone

CPU = torch.device("cpu")
Pictures = Callable[[int], list[torch.Tensor]]
UNUSUAL: dict[str, Any] = {"global_pool": "avg", "reg_tokens": 2, "fc_norm": True}
NONE = LinearOptions()
# Every list is one layout, whose adapters share batches.
BATCHES: dict[str, list[KindOptions]] = {
    "deep, shared, and VPT": [
        DvptOptions(count=3),
        DvptOptions(count=3, dynamic_layers="all"),
        DvptOptions(count=3, meta_net="none"),
    ],
    "shallow, specific, tokens, normalized": [
        DvptOptions(count=2, deep=False, meta_net="specific", meta_input="token", meta_norm=True),
    ],
    "deep, specific, two layers": [
        DvptOptions(count=1, meta_net="specific", meta_layers=2, dynamic_layers="all"),
    ],
    "no prompts": [NONE],
    "affine and bottleneck": [AffineOptions(), BottleneckOptions(width=2), CombinedOptions(dvpt=None)],
    "every bias": [AffineOptions(biases=True)],
    "a wide bottleneck": [BottleneckOptions(width=11)],
    "all three": [CombinedOptions(dvpt=DvptOptions(count=2))],
    "all three, shallow": [CombinedOptions(dvpt=DvptOptions(count=1, deep=False))],
}
CLASSES = (3, 20, 1, 130)


@pytest.fixture(scope="session")
def vit() -> Backbone:
    """A tiny backbone with what is less usual; tests of the graphs have the usual one too."""
    return tiny_backbone(**UNUSUAL)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> GraphCache:
    """One cache for all tests: exporting takes seconds."""
    return GraphCache(tmp_path_factory.mktemp("graphs"))


@pytest.fixture
def bank(vit: Backbone) -> AdapterBank:
    return AdapterBank(vit.config, device=CPU, dtype=torch.float32, slots_per_layout=32)


@pytest.fixture
def engine(vit: Backbone, bank: AdapterBank, cache: GraphCache) -> OnnxEngine:
    made = OnnxEngine(lambda: vit, bank, device=CPU, dtype=torch.float32, cache=cache, threads=1)
    made.start()
    return made


def artifact(
    vit: Backbone, seed: int, options: KindOptions, class_count: int = 3, head_layers: int = 1
) -> Artifact:
    return random_artifact(vit.config, options, class_count, head_layers=head_layers, seed=seed)


def insert(bank: AdapterBank, made: Artifact) -> Slot:
    return bank.insert(made.config, made.tensors)


def assert_rows_match(
    vit: Backbone,
    images: list[torch.Tensor],
    artifacts: list[Artifact],
    rows: list[np.ndarray[Any, Any] | InferenceFailed],
    *,
    atol: float = 1e-4,
) -> None:
    for image, made, row in zip(images, artifacts, rows, strict=True):
        expected = adapter_of(made, vit.config)(vit, image[None]).softmax(-1)[0]
        assert not isinstance(row, InferenceFailed)
        assert row.dtype == np.float32
        np.testing.assert_allclose(row, expected.numpy(), atol=atol)


@pytest.mark.slow
@pytest.mark.parametrize("options", BATCHES.values(), ids=BATCHES)
def test_a_mixed_batch_is_answered_as_each_adapter_alone_would(
    engine: OnnxEngine, bank: AdapterBank, vit: Backbone, tiny_pictures: Pictures, options: list[KindOptions]
) -> None:
    layers = 2 if options == [NONE] else 1  # Mlp heads are folded to plain maps, whatever is before them
    artifacts = [
        artifact(vit, seed, options[seed % len(options)], count, layers if seed % 2 else 1)
        for seed, count in enumerate(CLASSES)
    ]
    slots = [insert(bank, made) for made in artifacts]
    null = bank.null_slot(slots[0].layout)
    order = [2, 0, 3, 0, 1]
    images = tiny_pictures(6)

    rows = engine.infer(images, [*(slots[at] for at in order), null])

    assert_rows_match(vit, images[:5], [artifacts[at] for at in order], rows[:5])
    assert not isinstance(rows[5], InferenceFailed)
    np.testing.assert_array_equal(rows[5], [1.0])  # the null slot's one class
    assert_rows_match(vit, images[:1], artifacts[:1], engine.infer(images[:1], slots[:1]))


@pytest.mark.slow
def test_half_precision_answers_within_its_rounding(
    vit: Backbone, cache: GraphCache, tiny_pictures: Pictures
) -> None:
    half = tiny_backbone(**UNUSUAL)  # as on a GPU; a CPU computes it too, slowly
    bank = AdapterBank(half.config, device=CPU, dtype=torch.float16, slots_per_layout=4)
    engine = OnnxEngine(lambda: half, bank, device=CPU, dtype=torch.float16, cache=cache, threads=1)
    engine.start()
    artifacts = [artifact(vit, seed, DvptOptions(count=3), count) for seed, count in enumerate((3, 20))]
    images = tiny_pictures(2)

    rows = engine.infer(images, [insert(bank, made) for made in artifacts])

    assert_rows_match(vit, images, artifacts, rows, atol=0.02)


@pytest.mark.slow
def test_adapters_come_and_go_while_batches_run(
    engine: OnnxEngine, bank: AdapterBank, vit: Backbone, tiny_pictures: Pictures
) -> None:
    steady = artifact(vit, 1, DvptOptions(count=3))
    slot, images = insert(bank, steady), tiny_pictures(2)
    engine.warm(slot.layout)
    comers = [artifact(vit, seed, DvptOptions(count=3)) for seed in range(10, 14)]
    with Loading(bank, comers) as loaded:
        for _ in range(20):
            assert_rows_match(vit, images, [steady] * 2, engine.infer(images, [slot] * 2))
    for made in comers:  # no session was made anew for them, and heads have grown meanwhile
        assert_rows_match(vit, images[:1], [made], engine.infer(images[:1], [insert(bank, made)]))
    assert loaded


class Loading:
    """Inserts and removes adapters on another thread, as the service's loader does."""

    def __init__(self, bank: AdapterBank, comers: list[Artifact]) -> None:
        self._bank, self._comers = bank, comers
        self._over, self._loaded = threading.Event(), list[Slot]()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> list[Slot]:
        self._thread.start()
        return self._loaded

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        for made in self._endless():
            slots = [
                insert(self._bank, made) for _ in range(20)
            ]  # more than the heads have room for at first
            self._loaded.extend(slots)
            for slot in slots:
                self._bank.remove(slot)

    def _endless(self) -> Iterator[Artifact]:
        while not self._over.is_set():
            yield from self._comers


@pytest.mark.slow
def test_a_row_that_is_not_finite_is_that_row_s_error_alone(
    engine: OnnxEngine, bank: AdapterBank, vit: Backbone, tiny_pictures: Pictures
) -> None:
    good, bad = (artifact(vit, seed, DvptOptions(count=2)) for seed in (1, 2))
    prompts = bad.tensors["body.prompts"].clone()
    prompts[1, 0, 0] = torch.nan
    poisoned = replace(bad, tensors=bad.tensors | {"body.prompts": prompts})
    images = tiny_pictures(3)

    rows = engine.infer(
        images, [insert(bank, good), insert(bank, poisoned), bank.null_slot(_layout(bad, vit))]
    )

    assert isinstance(rows[1], OutputNotFinite)
    assert_rows_match(vit, images[:1], [good], rows[:1])
    assert not isinstance(rows[2], InferenceFailed)


@pytest.mark.slow
def test_a_slot_that_was_freed_is_refused(
    engine: OnnxEngine, bank: AdapterBank, vit: Backbone, tiny_pictures: Pictures
) -> None:
    slot = insert(bank, artifact(vit, 1, DvptOptions(count=2)))
    bank.remove(slot)

    with pytest.raises(ValueError, match="holds no adapter"):
        engine.infer(tiny_pictures(1), [slot])


def test_an_engine_must_be_started(
    vit: Backbone, bank: AdapterBank, tmp_path: Path, tiny_pictures: Pictures
) -> None:
    cache = GraphCache(tmp_path)
    engine = OnnxEngine(lambda: vit, bank, device=CPU, dtype=torch.float32, cache=cache)

    with pytest.raises(InferenceFailed, match="not started"):
        engine.infer(tiny_pictures(1), [])
    with pytest.raises(InferenceFailed, match="not started"):
        engine.warm(Layout.of(DvptOptions(), vit.config))


def _layout(made: Artifact, vit: Backbone) -> Layout:
    return Layout.of(made.config.options, vit.config)
