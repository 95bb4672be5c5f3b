"""A store of random adapters, for what does not depend on their answers."""

from pathlib import Path

import torch

from adapters.config import PreprocessConfig
from adapters.kinds.adapter import Adapter
from adapters.kinds.dvpt.options import DvptOptions
from adapters.store.artifact import new_artifact
from adapters.store.store import Store
from adapters.vit.backbone import Backbone


def random_store(root: Path, backbone: Backbone, tasks: int, classes: int = 10) -> list[str]:
    """Publish `tasks` adapters under `task-0000`, `task-0001`, … and give their names."""
    store = Store.create(root, backbone.config)
    options = DvptOptions()
    torch.manual_seed(0)
    adapter = Adapter(options, backbone.config, classes)
    names = [f"task-{number:04d}" for number in range(tasks)]
    artifact = new_artifact(
        adapter,
        method="dvpt",
        classes=[str(index) for index in range(classes)],
        backbone=backbone.config,
        preprocess=PreprocessConfig(),
        provenance={},
    )
    for name in names:
        store.publish(name, artifact)
    return names
