"""A store of very many tasks, quickly: hard links to the files of a few adapters that were published."""

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from adapters.command.classify import LocalClassifier
from adapters.config import PreprocessConfig
from adapters.kinds.adapter import Adapter
from adapters.kinds.dvpt.options import DvptOptions
from adapters.store.artifact import Artifact, new_artifact
from adapters.store.store import Store
from adapters.vit.backbone import Backbone

VARIANTS = 50
CLASSES = 10
FILES = ("1/claim", "1/adapter_model.safetensors", "1/adapter_config.json", "labels/stable")


@dataclass(frozen=True)
class Variant:
    """One of the adapters, its digest, and what it answers by the reference forward: class → probability."""

    artifact: Artifact
    digest: str
    answer: dict[str, float]


def variants(backbone: Backbone, picture: Path) -> list[Variant]:
    """Adapters that answer differently about one picture."""
    made = []
    for seed in range(VARIANTS):
        torch.manual_seed(seed)
        adapter = Adapter(DvptOptions(), backbone.config, CLASSES).eval()
        with torch.no_grad():
            for parameter in adapter.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        artifact = new_artifact(
            adapter,
            method="dvpt",
            classes=[f"class {index}" for index in range(CLASSES)],
            backbone=backbone.config,
            preprocess=PreprocessConfig(),
            provenance={},
        )
        found = LocalClassifier(artifact, backbone).classify(picture, CLASSES)
        answer = {name: probability for _, name, probability in found}
        made.append(Variant(artifact, artifact.config.tensors_sha256, answer))
    return made


def linked_store(root: Path, backbone: Backbone, made: list[Variant], tasks: int) -> list[str]:
    """Make a store of so many tasks with an index; their names. Task N has the variant N modulo VARIANTS."""
    store = Store.create(root, backbone.config)
    names = [f"task-{number:06d}" for number in range(tasks)]
    for name, variant in zip(names, made, strict=False):
        store.publish(name, variant.artifact)
    for number, name in enumerate(names[VARIANTS:]):
        for folder in ("1", "labels"):
            (root / name / folder).mkdir(parents=True)
        source = root / names[number % VARIANTS]
        for file in FILES:
            os.link(source / file, root / name / file)
    store.write_index()
    return names
