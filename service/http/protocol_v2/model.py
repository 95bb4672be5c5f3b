"""A task as a model of the protocol: which version is meant, and what it takes and gives."""

import json
from collections.abc import Mapping
from typing import Any

from adapters.config import STABLE, BackboneConfig
from adapters.kinds.adapter_config import AdapterConfig
from adapters.store.names import check_label_name
from adapters.store.task_record import TaskRecord
from service.errors import BadQuery
from service.http.protocol_v2.contract import INPUT, PLATFORM, PROBABILITIES
from service.http.protocol_v2.wire import ModelMetadata
from service.http.request.query import MAX_VERSION
from service.residents.task_state import TaskState


def version_asked(path: Mapping[str, str]) -> tuple[int | None, str | None]:
    """The number or the label that a path names as version, if any. Raises BadQuery and InvalidName."""
    text = path.get("version")
    if text is None:
        return None, None
    if not (text.isascii() and text.isdigit()):
        return None, check_label_name(text)
    if len(text) > len(str(MAX_VERSION)) or int(text) < 1:
        raise BadQuery(f"a version is a number from 1 to {MAX_VERSION}, or a label, not {text!r:.80}")
    return int(text), None


def version_meant(state: TaskState, version: int | None, label: str | None) -> int:
    """The version that answers for a number or a label, `stable` if neither.

    Raises VersionNotFound and LabelNotFound.
    """
    record = state.record
    if version is not None:
        return record.require_version(version)
    name = label or STABLE
    if name in state.serving:
        return state.serving[name].version
    if name not in record.labels:
        raise record.label_not_found(name, ", ".join(sorted(record.labels)) or "none")
    return record.labels[name]


def model_metadata(record: TaskRecord, config: AdapterConfig, backbone: BackboneConfig) -> ModelMetadata:
    """What a version takes and gives, for any client of the protocol.

    One input and one output, the ones that image clients know; `parameters` tell of the others.
    """
    size = backbone.image_size
    return {
        "name": record.name,
        "versions": [str(version) for version in record.versions],
        "platform": PLATFORM,
        "inputs": [{"name": INPUT, "datatype": "UINT8", "shape": [-1, 3, size, size]}],
        "outputs": [{"name": PROBABILITIES, "datatype": "FP32", "shape": [-1, len(config.classes)]}],
        "parameters": _parameters(backbone),
    }


def model_config(
    record: TaskRecord, config: AdapterConfig, backbone: BackboneConfig, most_pictures: int
) -> dict[str, Any]:
    """The same as Triton's configuration of a model, with the labels in `parameters`."""
    size = backbone.image_size
    parameters = {**_parameters(backbone), "labels": json.dumps(config.classes, ensure_ascii=False)}
    return {
        "name": record.name,
        "platform": "",
        "backend": PLATFORM,
        "version_policy": {"all": {}},
        "max_batch_size": most_pictures,
        "input": [
            {
                "name": INPUT,
                "data_type": "TYPE_UINT8",
                "format": "FORMAT_NCHW",
                "dims": [3, size, size],
                "is_shape_tensor": False,
                "allow_ragged_batch": False,
                "optional": False,
            }
        ],
        "output": [
            {
                "name": PROBABILITIES,
                "data_type": "TYPE_FP32",
                "dims": [len(config.classes)],
                "label_filename": "",
                "is_shape_tensor": False,
            }
        ],
        "dynamic_batching": {"max_queue_delay_microseconds": 0, "preserve_ordering": False},
        "instance_group": [],
        "parameters": {name: {"string_value": text} for name, text in parameters.items()},
    }


def _parameters(backbone: BackboneConfig) -> dict[str, str]:
    size, mean, std = backbone.image_size, list(backbone.mean), list(backbone.std)
    return {
        "encoded_pictures": f"{INPUT} as BYTES [-1] or [-1,1], of any size; in JSON as base64",
        "pixels": f"{INPUT} as UINT8 [-1,3,{size},{size}] or [-1,{size},{size},3], RGB",
        "normalized": f"{INPUT} as FP32 of these shapes: (pixel / 255 - mean) / std",
        "mean": json.dumps(mean),
        "std": json.dumps(std),
        "more_outputs": "label BYTES [-1]; accepted BOOL [-1] where the version has thresholds",
    }
