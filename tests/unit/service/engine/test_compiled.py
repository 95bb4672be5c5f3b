"""A compiled backbone answers as the plain one; what does not compile is told and runs as it is."""

import copy
import logging
import shutil
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._dynamo.exc import FailOnRecompileLimitHit, TorchDynamoException

from adapters.bank.bank import AdapterBank
from adapters.kinds.combined.options import CombinedOptions
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.options import KindOptions
from adapters.vit.backbone import Backbone
from service.engine.compiled import CompiledBackbone
from tests.support.artifacts import MakeArtifact
from tests.support.mixed import forward_mixed
from tests.support.pictures import pixels

CPU = torch.device("cpu")


def failing_with(error: Exception) -> Callable[..., Callable[..., Tensor]]:
    def compiler(_: object, **__: object) -> Callable[..., Tensor]:
        def run(*_: Any) -> Tensor:
            raise error

        return run

    return compiler


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("options", [DvptOptions(), CombinedOptions()])
def test_compiled_rows_are_the_plain_ones_on_mixed_slots(
    backbone: Backbone, make_artifact: MakeArtifact, options: KindOptions
) -> None:
    backbone = copy.deepcopy(backbone).prepare(CPU, torch.float32)
    bank = AdapterBank(backbone.config, device=CPU, dtype=torch.float32, slots_per_layout=8)
    artifacts = [make_artifact(seed, class_count=3 + seed, options=options) for seed in range(4)]
    slots = [bank.insert(artifact.config, artifact.tensors) for artifact in artifacts]
    size = backbone.config.image_size
    images = pixels(7, size)
    compiled = CompiledBackbone(backbone, CPU)
    for count in (4, 7):
        rows = [slots[row % 4] for row in range(count)]
        plain = forward_mixed(backbone, bank, images[:count], rows)
        torch.testing.assert_close(
            forward_mixed(compiled, bank, images[:count], rows), plain, rtol=0, atol=1e-4
        )
    assert not compiled.failed


@pytest.mark.parametrize("error", [TorchDynamoException("no compiler\nat all"), FailOnRecompileLimitHit()])
def test_what_does_not_compile_is_logged_once_and_runs_as_it_is(
    backbone: Backbone, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    images = pixels(2)
    compiled = CompiledBackbone(backbone, CPU, failing_with(error))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            torch.testing.assert_close(compiled.embed(images), backbone.embed(images))
    assert [record.getMessage() for record in caplog.records] == ["compile_failed"]
    assert compiled.failed


def test_a_fault_of_the_device_is_not_one_of_the_compiler(backbone: Backbone) -> None:
    compiled = CompiledBackbone(backbone, CPU, failing_with(torch.OutOfMemoryError("CUDA out of memory")))
    with pytest.raises(torch.OutOfMemoryError):
        compiled.embed(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))
    assert not compiled.failed
