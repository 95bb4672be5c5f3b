"""A kind that only this file knows is published, loaded, stacked and answered in a mixed batch.

It stands for the next folder in `adapters/kinds`: nothing outside it may have to change.
"""

from collections.abc import Mapping
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from adapters.bank.bank import AdapterBank
from adapters.config import BackboneConfig
from adapters.errors import ArtifactFormat
from adapters.kinds import table
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.kind import RowGraph, Stack
from adapters.kinds.linear.options import LinearOptions
from adapters.kinds.options import KindOptions
from adapters.store.artifact import adapter_of
from adapters.store.store import Store
from adapters.transfers import host_copy
from adapters.vit.backbone import Backbone
from adapters.vit.row_parameters import RowParameters
from tests.support.artifacts import random_artifact
from tests.support.mixed import forward_mixed
from tests.support.pictures import pixels

CPU = torch.device("cpu")


class EchoOptions(KindOptions):
    """Prompts that repeat a part of what is in the picture; `scaled` or all of it."""

    kind: Literal["echo"] = "echo"
    count: int = 2
    scaled: bool = True


class EchoBody(nn.Module):
    """The mean patch token, times a factor for each channel of each prompt [P, D]."""

    def __init__(self, options: EchoOptions, backbone: BackboneConfig) -> None:
        super().__init__()
        self.count = options.count
        self.factor = nn.Parameter(torch.ones(options.count, backbone.width)) if options.scaled else None

    def forward(self, patches: Tensor) -> RowParameters:
        mean = patches.float().mean(dim=1)[:, None, None].expand(-1, 1, self.count, -1)
        return RowParameters(prompts=mean if self.factor is None else mean * self.factor)


class EchoStack(Stack[EchoOptions]):
    """Factors [S, P, D]; a row that has none rides with ones."""

    def __init__(self, factors: Tensor) -> None:
        self.factors = factors

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return (self.factors,)

    @torch.inference_mode()
    def write(self, slot: int, options: EchoOptions, tensors: Mapping[str, Tensor]) -> None:
        self.factors[slot] = tensors["factor"] if options.scaled else 1.0

    def read(self, slot: int, options: EchoOptions) -> dict[str, Tensor]:
        return {"factor": host_copy(self.factors[slot])} if options.scaled else {}

    def row_parameters(self, patches: Tensor, index: Tensor) -> RowParameters:
        mean = patches.float().mean(dim=1)[:, None]
        return RowParameters(prompts=(mean * self.factors[index].float()).unsqueeze(1))


class EchoKind:
    options = EchoOptions
    methods = ("echo", "shout")

    def layout(self, options: EchoOptions, backbone: BackboneConfig) -> EchoOptions:
        return EchoOptions(count=options.count)

    def layout_name(self, layout: EchoOptions) -> str:
        return f"echo{layout.count}"

    def body(self, options: EchoOptions, backbone: BackboneConfig) -> nn.Module:
        return EchoBody(options, backbone)

    def stack(
        self,
        layout: EchoOptions,
        backbone: BackboneConfig,
        slots: int,
        *,
        device: torch.device,
        dtype: torch.dtype,
    ) -> EchoStack:
        return EchoStack(torch.zeros(slots, layout.count, backbone.width, device=device, dtype=dtype))

    def graphs(
        self, layout: EchoOptions, backbone: BackboneConfig, *, prefix: int, half: bool
    ) -> tuple[RowGraph, ...]:
        raise NotImplementedError


@pytest.fixture
def _echo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "KINDS", {**table.KINDS, "echo": EchoKind()})


def publish(store: Store, task: str, options: KindOptions, method: str, classes: int) -> None:
    names = [str(number) for number in range(classes)]
    store.publish(task, random_artifact(store.backbone, options, names, method=method))


@pytest.mark.usefixtures("_echo")
def test_a_new_kind_needs_nothing_outside_its_own_code(store: Store, backbone: Backbone) -> None:
    torch.manual_seed(1)
    publish(store, "echo", EchoOptions(), "echo", 3)
    publish(store, "louder", EchoOptions(), "shout", 20)
    publish(store, "plain", EchoOptions(scaled=False), "echo", 4)
    bank = AdapterBank(store.backbone, device=CPU, dtype=torch.float32, slots_per_layout=4)
    artifacts = [store.load(task, 1) for task in ("echo", "louder", "plain", "echo")]
    slots = [bank.insert(artifact.config, artifact.tensors) for artifact in artifacts]
    images = pixels(4)

    mixed = forward_mixed(backbone, bank, images, slots)

    assert {str(slot.layout) for slot in slots} == {"echo2"}
    for row, artifact in enumerate(artifacts):
        alone = adapter_of(artifact, store.backbone)(backbone, images[row : row + 1])[0]
        torch.testing.assert_close(mixed[row, : len(alone)], alone, atol=1e-4, rtol=0)
        found = bank.read(artifact.config, slots[row])
        assert found.keys() == artifact.tensors.keys()
        assert all(torch.equal(found[name], artifact.tensors[name]) for name in found)


def test_a_kind_of_another_release_is_refused_by_name(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(table, "KINDS", {**table.KINDS, "echo": EchoKind()})
        publish(store, "echo", EchoOptions(), "echo", 3)

    with pytest.raises(ArtifactFormat, match=r"'options': there is no kind .*'echo'.* reads: dvpt, linear"):
        store.load("echo", 1)


@pytest.mark.parametrize(
    ("options", "method"), [(DvptOptions(), "linear"), (LinearOptions(), "dvpt"), (LinearOptions(), "magic")]
)
def test_a_method_belongs_to_the_kind_it_makes(store: Store, options: KindOptions, method: str) -> None:
    with pytest.raises(ArtifactFormat, match=rf"'method': an adapter of kind {options.kind} .*'{method}'"):
        publish(store, "digits", options, method, 3)


def test_the_names_in_the_table_are_those_in_the_options() -> None:
    for name, kind in table.KINDS.items():
        assert kind.options().kind == name
