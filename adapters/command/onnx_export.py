"""One adapter with its backbone as a stand-alone ONNX model, for those who run no service."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor, nn

from adapters.errors import ExportFailed, StoreConflict
from adapters.kinds.adapter import Adapter
from adapters.store.artifact import Artifact, adapter_of
from adapters.vit.backbone import Backbone
from adapters.vit.onnx import export_program, require_onnx

FILE_OPSET = 18  # old enough for other runtimes and compilers
TOLERANCE = 1e-4  # between the reference forward's probabilities and the model's


class StandAlone(nn.Module):
    """The reference forward with a softmax behind it."""

    def __init__(self, adapter: Adapter, backbone: Backbone) -> None:
        super().__init__()
        self.adapter = adapter
        self.backbone = backbone

    def forward(self, images: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] uint8 → probabilities [B, C]."""
        return torch.softmax(self.adapter(self.backbone, images), dim=-1)


def write_model(artifact: Artifact, backbone: Backbone, path: Path, *, task: str, version: int) -> None:
    """Write `images` [B, 3, H, W] uint8 → `probabilities` [B, C], classes and fitting in its metadata.

    The file appears whole and checked; beyond 2 GB the weights lie beside it in `<name>.data`. Raises
    StoreConflict where something is already, ConfigError without the `onnx` extra, and ExportFailed where
    the model answers otherwise than the adapter.
    """
    require_onnx()
    if path.exists():
        raise StoreConflict(f"{path} is there already")
    module = StandAlone(adapter_of(artifact, backbone.config), backbone)
    batch = {0: torch.export.Dim("batch")}
    program = export_program(
        module, (_pictures(backbone, 2),), ("images",), "probabilities", (batch,), opset=FILE_OPSET
    )
    program.model.metadata_props.update(_facts(artifact, backbone, task, version))
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        made = Path(folder, path.name)
        program.save(made)
        _require_equal(made, module, backbone)
        for file in sorted(Path(folder).iterdir(), key=lambda file: file == made):  # the model last
            file.rename(path.with_name(file.name))


def _facts(artifact: Artifact, backbone: Backbone, task: str, version: int) -> dict[str, str]:
    """What a reader of the file alone must know; classes and preprocessing as JSON."""
    config = artifact.config
    return {
        "classes": json.dumps(config.classes, ensure_ascii=False),
        "preprocess": config.preprocess.model_dump_json(),
        "task": task,
        "version": str(version),
        "method": config.method,
        "backbone": backbone.config.name,
        "backbone_sha256": backbone.config.sha256,
        "tensors_sha256": config.tensors_sha256,
    }


def _require_equal(path: Path, module: StandAlone, backbone: Backbone) -> None:
    import onnxruntime  # noqa: PLC0415 - an extra that only this command needs

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for count in (1, 3):
        images = _pictures(backbone, count)
        (found,) = session.run(None, {"images": images.numpy()})
        with torch.inference_mode():
            difference = float(np.abs(found - module(images).numpy()).max())
        if not difference <= TOLERANCE:  # NaN is no agreement
            raise ExportFailed(f"the model's probabilities differ by {difference:.2g} from the adapter's")


def _pictures(backbone: Backbone, count: int) -> Tensor:
    size = backbone.config.image_size
    generator = torch.Generator().manual_seed(count)
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=generator)
