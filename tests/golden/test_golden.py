"""Stores that earlier releases wrote keep loading and keep giving the same answers."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from adapters.bank.bank import AdapterBank
from adapters.config import PreprocessConfig
from adapters.store.artifact import CONFIG_FILE, adapter_of
from adapters.store.store import Store
from tests.golden.generate import ADAPTERS, golden_backbone, golden_images
from tests.support.mixed import forward_mixed

HERE = Path(__file__).parent
FORMATS = sorted(HERE.glob("format-*"))


def test_there_is_a_golden_store_of_every_format() -> None:
    assert [folder.name for folder in FORMATS] == sorted(ADAPTERS)


@pytest.mark.parametrize("folder", FORMATS, ids=lambda folder: folder.name)
def test_golden_adapters_keep_loading_and_keep_their_logits(folder: Path) -> None:
    store = Store.open(folder / "store")
    backbone = golden_backbone(load_file(folder / "backbone.safetensors"))
    assert backbone.config == store.backbone  # the digest is computed as it was then
    bank = AdapterBank(store.backbone, device=torch.device("cpu"), dtype=torch.float32, slots_per_layout=2)
    images = golden_images()
    logits = json.loads((folder / "logits.json").read_text())
    adapters = ADAPTERS[folder.name]
    assert store.tasks() == sorted(logits) == sorted(adapters)
    for task, expected in logits.items():
        artifact = store.load(task, store.resolve(task))
        assert artifact.config.options == adapters[task][0]
        answer = adapter_of(artifact, store.backbone)(backbone, images)
        torch.testing.assert_close(answer, torch.tensor(expected), atol=1e-4, rtol=0)
        slot = bank.insert(artifact.config, artifact.tensors)
        mixed = forward_mixed(backbone, bank, images, [slot, slot])[:, :3]
        torch.testing.assert_close(mixed, torch.tensor(expected), atol=1e-4, rtol=0)


def test_format_1_reads_as_it_was_written(tmp_path: Path) -> None:
    shutil.copytree(HERE / "format-1" / "store", tmp_path / "store")
    store = Store.open(tmp_path / "store")
    record = store.task("vpt")
    assert (record.versions, record.labels, record.problems) == ((1, 2), {"canary": 2, "stable": 1}, ())
    config = store.config("vpt", 1)
    assert config.classes == ("rose", "tulip", "élan vital")
    assert config.preprocess == PreprocessConfig(fit="crop")
    assert config.provenance == {"metrics": {"test": {"accuracy": 0.5}}}
    assert store.card("vpt", 1) == {"README.md": b"# vpt\n"}
    assert store.publish("vpt", store.load("vpt", 1)) == 4  # the tombstone holds
    written = json.loads((tmp_path / "store" / "vpt" / "4" / CONFIG_FILE).read_text())
    assert written == json.loads((tmp_path / "store" / "vpt" / "1" / CONFIG_FILE).read_text())
