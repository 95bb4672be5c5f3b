"""A mixed batch answers every row as that row's adapter alone would."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.bank.bank import AdapterBank
from adapters.errors import BankFull
from adapters.kinds.adapter import Adapter
from adapters.kinds.adapter_config import AdapterConfig
from adapters.kinds.affine.options import AffineOptions
from adapters.kinds.bottleneck.options import BottleneckOptions
from adapters.kinds.combined.options import CombinedOptions
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.layout import HeadShape, Slot
from adapters.kinds.linear.options import LinearOptions
from adapters.kinds.options import KindOptions
from adapters.kinds.table import kind_of
from adapters.vit.backbone import Backbone
from tests.support.artifacts import kind_options, random_adapter
from tests.support.backbones import tiny_backbone
from tests.support.mixed import forward_mixed
from tests.support.pictures import pixels

CPU = torch.device("cpu")
CLASS_COUNTS = (1, 2, 16, 17, 130)
POPULARITIES = ("identical", "distinct", "uniform", "zipf", "skewed")


@dataclass(frozen=True)
class Resident:
    adapter: Adapter
    slot: Slot


def config_of(options: KindOptions, class_count: int, head_layers: int) -> AdapterConfig:
    return AdapterConfig(
        method=kind_of(options).methods[0],
        options=options,
        head_layers=head_layers,
        classes=tuple(f"class {index}" for index in range(class_count)),
        backbone_sha256="0" * 64,
        tensors_sha256="0" * 64,
    )


def new_bank(backbone: Backbone, slots: int = 16, dtype: torch.dtype = torch.float32) -> AdapterBank:
    return AdapterBank(backbone.config, device=CPU, dtype=dtype, slots_per_layout=slots)


def insert(
    bank: AdapterBank, backbone: Backbone, options: KindOptions, class_count: int, head_layers: int = 1
) -> Resident:
    adapter = random_adapter(backbone.config, options, class_count, head_layers=head_layers)
    config = config_of(options, class_count, head_layers)
    return Resident(adapter, bank.insert(config, adapter.state_dict()))


def drawn(popularity: str, adapters: int, rows: int, seed: int) -> list[int]:
    """Which adapter each row asks for."""
    generator = np.random.default_rng(seed)
    if popularity == "identical":
        return [0] * rows
    if popularity == "distinct":
        return [row % adapters for row in range(rows)]
    weights = {
        "uniform": np.ones(adapters),
        "zipf": 1 / np.arange(1, adapters + 1),
        "skewed": np.array([100.0] + [1.0] * (adapters - 1)),
    }[popularity]
    return [int(i) for i in generator.choice(adapters, size=rows, p=weights / weights.sum())]


def assert_rows_match(backbone: Backbone, bank: AdapterBank, rows: list[Resident]) -> None:
    images = pixels(len(rows))
    mixed = forward_mixed(backbone, bank, images, [row.slot for row in rows])
    for index, row in enumerate(rows):
        with torch.no_grad():
            alone = row.adapter(backbone, images[index : index + 1])[0]
        own = mixed[index, : len(alone)]
        # Within 1e-4 in float32; logits of these random heads reach about 10.
        assert torch.allclose(own, alone, atol=1e-4, rtol=1e-5)
        assert torch.isneginf(mixed[index, len(alone) :]).all()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    options=kind_options(max_meta_layers=4),
    popularity=st.sampled_from(POPULARITIES),
    classes=st.lists(st.sampled_from(CLASS_COUNTS), min_size=2, max_size=6),
    head_layers=st.lists(st.sampled_from([1, 1, 2, 3]), min_size=6, max_size=6),
    seed=st.integers(0, 2**16),
)
def test_every_row_of_a_mixed_batch_is_answered_as_if_alone(
    backbone: Backbone,
    options: KindOptions,
    popularity: str,
    classes: list[int],
    head_layers: list[int],
    seed: int,
) -> None:
    torch.manual_seed(seed)
    bank = new_bank(backbone)
    residents = [
        insert(bank, backbone, options, count, layers)
        for count, layers in zip(classes, head_layers, strict=False)
    ]
    assert_rows_match(backbone, bank, [residents[i] for i in drawn(popularity, len(residents), 7, seed)])


def test_vpt_and_both_places_of_pi_share_one_batch_with_dvpt(backbone: Backbone) -> None:
    bank = new_bank(backbone)
    options = [
        DvptOptions(count=3),
        DvptOptions(count=3, dynamic_layers="all"),
        DvptOptions(count=3, meta_net="none"),
    ]
    residents = [insert(bank, backbone, each, 5) for each in options]
    assert len({resident.slot.layout for resident in residents}) == 1
    assert_rows_match(backbone, bank, residents)


def test_affines_and_bottlenecks_share_one_batch(backbone: Backbone) -> None:
    bank = new_bank(backbone)
    options = [
        AffineOptions(),
        BottleneckOptions(width=8),
        CombinedOptions(dvpt=None),
        BottleneckOptions(width=3),
        CombinedOptions(dvpt=None, bottleneck=BottleneckOptions(width=2)),
    ]
    residents = [insert(bank, backbone, each, 5) for each in options]
    assert {str(resident.slot.layout) for resident in residents} == {"affine+bottleneck8"}
    assert_rows_match(backbone, bank, residents)


def test_what_lacks_a_part_shares_a_batch_with_what_has_all(backbone: Backbone) -> None:
    bank = new_bank(backbone)
    options = [
        CombinedOptions(dvpt=DvptOptions(count=3)),
        CombinedOptions(dvpt=DvptOptions(count=3, meta_net="none"), affine=None),
        CombinedOptions(dvpt=DvptOptions(count=3, dynamic_layers="all"), bottleneck=None),
    ]
    residents = [insert(bank, backbone, each, 5) for each in options]
    assert {str(resident.slot.layout) for resident in residents} == {"p3-deep-shared4x3+affine+bottleneck8"}
    assert_rows_match(backbone, bank, residents)


@pytest.mark.parametrize("left", [AffineOptions(), BottleneckOptions(width=3)])
def test_a_reused_slot_keeps_nothing_of_another_kind(backbone: Backbone, left: KindOptions) -> None:
    bank = new_bank(backbone, slots=1)
    before = random_adapter(backbone.config, CombinedOptions(dvpt=None), 2)
    for parameter in before.parameters():
        torch.nn.init.constant_(parameter, 3e38)
    bank.remove(bank.insert(config_of(before.options, 2, 1), before.state_dict()))
    assert_rows_match(backbone, bank, [insert(bank, backbone, left, 2)])


def test_a_reused_slot_keeps_nothing_of_the_adapter_before(backbone: Backbone) -> None:
    bank = new_bank(backbone, slots=1)
    options = DvptOptions(count=3, dynamic_layers="all")
    overflowing = random_adapter(backbone.config, options, 16, head_layers=2)
    for parameter in overflowing.parameters():
        torch.nn.init.constant_(parameter, 3e38)  # what is left of it would turn answers into NaN
    first = bank.insert(config_of(options, 16, 2), overflowing.state_dict())
    bank.remove(first)
    second = insert(bank, backbone, DvptOptions(count=3, meta_net="none"), 2, 2)
    assert (second.slot.index, second.slot.head_index) == (first.index, first.head_index)
    assert_rows_match(backbone, bank, [second])


@pytest.mark.parametrize("head_layers", [1, 3])
@pytest.mark.parametrize(
    "options",
    [
        DvptOptions(count=3),
        DvptOptions(count=2, deep=False, meta_net="specific", dynamic_layers="all"),
        DvptOptions(count=3, meta_net="none"),
        LinearOptions(),
        AffineOptions(),
        AffineOptions(biases=True),
        BottleneckOptions(width=3),
        CombinedOptions(dvpt=DvptOptions(count=2, dynamic_layers="all")),
        CombinedOptions(dvpt=None),
    ],
)
def test_a_slot_is_read_as_it_was_written(backbone: Backbone, options: KindOptions, head_layers: int) -> None:
    bank, config = new_bank(backbone), config_of(options, 5, head_layers)
    first, second = (insert(bank, backbone, options, 5, head_layers) for _ in range(2))
    expected = {name: tensor.clone() for name, tensor in first.adapter.state_dict().items()}

    found = bank.read(config, first.slot)
    bank.remove(first.slot)
    bank.insert(config, second.adapter.state_dict())  # over the slot that was read

    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_freed_slot_is_not_read(backbone: Backbone) -> None:
    bank, options = new_bank(backbone), DvptOptions(count=1)
    slot = insert(bank, backbone, options, 2).slot
    bank.remove(slot)

    with pytest.raises(ValueError, match="holds no adapter"):
        bank.read(config_of(options, 2, 1), slot)


def test_removing_twice_frees_once(backbone: Backbone) -> None:
    bank = new_bank(backbone, slots=2)
    one, _ = (insert(bank, backbone, DvptOptions(count=1), 2) for _ in range(2))
    bank.remove(one.slot)
    bank.remove(one.slot)
    insert(bank, backbone, DvptOptions(count=1), 2)
    with pytest.raises(BankFull, match="all 2 slots of layout p1-deep-shared4x3"):
        insert(bank, backbone, DvptOptions(count=1), 2)


def test_a_full_bank_changes_nothing(backbone: Backbone) -> None:
    bank = new_bank(backbone, slots=1)
    resident = insert(bank, backbone, DvptOptions(count=1), 2)
    before = bank.slots
    with pytest.raises(BankFull):
        insert(bank, backbone, DvptOptions(count=1), 2)
    assert bank.slots == before
    assert_rows_match(backbone, bank, [resident])


@pytest.mark.parametrize(("bytes_of_slots", "slots"), [(0.5, 1), (2.0, 1), (4.5, 3), (100.0, 7)])
def test_the_slots_of_a_layout_are_bounded_in_bytes(
    backbone: Backbone, bytes_of_slots: float, slots: int
) -> None:
    def bank_of(most_bytes: int | None) -> AdapterBank:
        return AdapterBank(
            backbone.config,
            device=CPU,
            dtype=torch.float32,
            slots_per_layout=7,
            bytes_per_layout=most_bytes,
        )

    unbounded = bank_of(None)
    layout = insert(unbounded, backbone, DvptOptions(count=1), 2).slot.layout
    slot_bytes = sum(tensor.nbytes for tensor in unbounded.tensors(layout)) // 8
    bank = bank_of(int(bytes_of_slots * slot_bytes))
    for _ in range(slots):
        insert(bank, backbone, DvptOptions(count=1), 2)
    assert not bank.has_room(layout)
    with pytest.raises(BankFull, match=f"all {slots} slots"):
        insert(bank, backbone, DvptOptions(count=1), 2)
    assert sum(tensor.nbytes for tensor in bank.tensors(layout)) == (slots + 1) * slot_bytes


def test_heads_grow_beyond_their_first_capacity_and_stay_right(backbone: Backbone) -> None:
    bank = new_bank(backbone, slots=40)
    residents = [insert(bank, backbone, LinearOptions(), 3) for _ in range(40)]
    assert_rows_match(backbone, bank, residents)


def test_layout_tensors_never_move(backbone: Backbone) -> None:
    bank = new_bank(backbone, slots=4)
    layout = insert(bank, backbone, DvptOptions(count=2), 2).slot.layout
    before = bank.addresses(layout)
    for _ in range(3):
        insert(bank, backbone, DvptOptions(count=2), 2)
    assert bank.addresses(layout) == before


def test_the_null_slot_answers_one_class_with_certainty(backbone: Backbone) -> None:
    bank = new_bank(backbone)
    resident = insert(bank, backbone, DvptOptions(count=2), 4)
    null = bank.null_slot(resident.slot.layout)
    logits = forward_mixed(backbone, bank, pixels(2), [resident.slot, null])
    assert logits[1].softmax(dim=0)[0] == 1.0


def test_rows_of_two_layouts_and_dead_slots_are_refused(backbone: Backbone) -> None:
    bank = new_bank(backbone)
    one = insert(bank, backbone, DvptOptions(count=1), 2)
    two = insert(bank, backbone, DvptOptions(count=2), 2)
    with pytest.raises(ValueError, match="exactly one layout"):
        forward_mixed(backbone, bank, pixels(2), [one.slot, two.slot])
    bank.remove(one.slot)
    with pytest.raises(ValueError, match="holds no adapter"):
        forward_mixed(backbone, bank, pixels(1), [one.slot])


@pytest.mark.parametrize("options", [DvptOptions(count=3), CombinedOptions(dvpt=DvptOptions(count=3))])
def test_bfloat16_stays_close_to_float32(options: KindOptions) -> None:
    full = tiny_backbone()
    half = tiny_backbone().prepare(CPU, torch.bfloat16)
    adapter = Adapter(options, full.config, 10).eval()
    answers = []
    images = pixels(64)
    for backbone, dtype in ((full, torch.float32), (half, torch.bfloat16)):
        bank = new_bank(backbone, dtype=dtype)
        slot = bank.insert(config_of(options, 10, 1), adapter.state_dict())
        answers.append(forward_mixed(backbone, bank, images, [slot] * 64).softmax(dim=1))
    assert (answers[0] - answers[1]).abs().max() < 0.02


@pytest.mark.parametrize(
    "options",
    [DvptOptions(count=3), CombinedOptions(dvpt=DvptOptions(count=3)), AffineOptions(biases=True)],
)
def test_at_bfloat16_the_bank_answers_as_the_reference_does(options: KindOptions) -> None:
    backbone = tiny_backbone().prepare(CPU, torch.bfloat16)
    torch.manual_seed(0)
    adapter = random_adapter(backbone.config, options, 10)
    rounded = {name: tensor.bfloat16() for name, tensor in adapter.state_dict().items()}
    adapter.load_state_dict(rounded)
    bank = new_bank(backbone, dtype=torch.bfloat16)
    slot = bank.insert(config_of(options, 10, 1), rounded)
    images = pixels(64)
    with torch.inference_mode():
        expected = adapter(backbone, images)
    mixed = forward_mixed(backbone, bank, images, [slot] * 64)[:, :10]
    # What float32 sums in another order may move is far below a rounding of π to bfloat16.
    assert (mixed - expected).abs().max() < 1e-4


def test_head_buckets() -> None:
    assert [HeadShape.of(1, count).class_capacity for count in (1, 16, 17, 128, 129, 1025)] == [
        16, 16, 128, 128, 1024, 8192,
    ]  # fmt: skip
