"""One adapter as files: `adapter_config.json`, `adapter_model.safetensors` and the card.

The specification is docs/artifact-format.md.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from adapters.config import BackboneConfig, PreprocessConfig
from adapters.errors import ArtifactDamaged, ArtifactFormat, BackboneMismatch
from adapters.kinds.adapter import Adapter, empty_adapter, expected_shapes
from adapters.kinds.adapter_config import AdapterConfig
from adapters.kinds.head import Head
from adapters.store.strict_json import first_error, parse_json

CONFIG_FILE = "adapter_config.json"
TENSORS_FILE = "adapter_model.safetensors"
CARD_FILE = re.compile(r"README\.md|[A-Za-z0-9][A-Za-z0-9._-]{0,127}\.png")
DTYPES = (torch.float32, torch.float16, torch.bfloat16)


@dataclass(frozen=True, eq=False)
class Artifact:
    """One adapter in memory.

    `tensors` are named and shaped as `expected_shapes` says; `card` maps plain file names
    (`README.md`, `*.png`) to their bytes.
    """

    config: AdapterConfig
    tensors: dict[str, Tensor]
    card: Mapping[str, bytes] = field(default_factory=dict)


def new_artifact(
    adapter: Adapter,
    *,
    method: str,
    classes: Sequence[str],
    backbone: BackboneConfig,
    preprocess: PreprocessConfig,
    provenance: Mapping[str, Any],
    card: Mapping[str, bytes] | None = None,
    dtype: torch.dtype = torch.bfloat16,
) -> Artifact:
    """Make the artifact of a trained adapter whose head is plain linear maps, cast to `dtype`.

    Raises ArtifactError where the adapter cannot be written so that it would load again.
    """
    if not isinstance(adapter.head, Head):
        raise ArtifactFormat(
            f"the head must be folded to plain linear maps, not {type(adapter.head).__name__}"
        )
    state = adapter.state_dict()
    tensors = {name: value.detach().to("cpu", dtype, copy=True).contiguous() for name, value in state.items()}
    values = {
        "options": adapter.options,
        "method": method,
        "head_layers": len(adapter.head),
        "preprocess": preprocess,
        "classes": tuple(classes),
        "backbone_sha256": backbone.sha256,
        "tensors_sha256": hashlib.sha256(save(tensors)).hexdigest(),
        "provenance": _plain_json(provenance),
    }
    try:
        config = AdapterConfig.model_validate(values)
    except ValidationError as error:
        raise ArtifactFormat(first_error(error)) from error
    artifact = Artifact(config, tensors, dict(card or {}))
    encode_artifact(artifact, backbone)
    return artifact


def check_artifact(config: AdapterConfig, tensors: Mapping[str, Tensor], backbone: BackboneConfig) -> None:
    """Raise BackboneMismatch or ArtifactDamaged, naming what is wrong, unless the backbone can run this."""
    check_backbone(config, backbone)
    shapes = expected_shapes(config, backbone)
    missing, extra = sorted(shapes.keys() - tensors.keys()), sorted(tensors.keys() - shapes.keys())
    if missing:
        raise ArtifactDamaged(f"tensor {missing[0]} is missing{_more(missing)}")
    if extra:
        raise ArtifactDamaged(f"tensor {extra[0]} does not belong to this adapter{_more(extra)}")
    for name, shape in shapes.items():
        _check_tensor(name, tensors[name], shape)


def check_backbone(config: AdapterConfig, backbone: BackboneConfig) -> None:
    """Raise BackboneMismatch unless the adapter was made for this backbone."""
    if config.backbone_sha256 != backbone.sha256:
        raise BackboneMismatch(
            f"the adapter was made for the backbone with SHA-256 {config.backbone_sha256}, "
            f"not for {backbone.name} with {backbone.sha256}"
        )


def encode_artifact(artifact: Artifact, backbone: BackboneConfig) -> dict[str, bytes]:
    """Artifact → file name → bytes, the configuration last, with every check that loading makes."""
    check_artifact(artifact.config, artifact.tensors, backbone)
    wrong = sorted(name for name in artifact.card if not CARD_FILE.fullmatch(name))
    if wrong:
        raise ArtifactFormat(f"card file {wrong[0]!r} is not allowed: only README.md and plain *.png names")
    tensors = save({name: tensor.contiguous() for name, tensor in artifact.tensors.items()})
    config = artifact.config.model_copy(update={"tensors_sha256": hashlib.sha256(tensors).hexdigest()})
    encoded = config.model_dump_json(indent=2).encode() + b"\n"
    if parse_config(encoded) != config:
        raise ArtifactFormat("provenance must be plain JSON: text, finite numbers, lists and string keys")
    return {TENSORS_FILE: tensors, **artifact.card, CONFIG_FILE: encoded}


def decode_artifact(files: Mapping[str, bytes], backbone: BackboneConfig) -> Artifact:
    """File name → bytes, as `encode_artifact` gives them → artifact; files of other names are left out.

    Raises ArtifactFormat, ArtifactDamaged or BackboneMismatch, naming the damage.
    """
    for name in (CONFIG_FILE, TENSORS_FILE):
        if name not in files:
            raise ArtifactDamaged(f"{name} is missing")
    config = parse_config(files[CONFIG_FILE])
    check_backbone(config, backbone)
    tensors = _decode_tensors(files[TENSORS_FILE], config.tensors_sha256)
    check_artifact(config, tensors, backbone)
    return Artifact(config, tensors, {name: files[name] for name in files if CARD_FILE.fullmatch(name)})


def parse_config(data: bytes) -> AdapterConfig:
    """The bytes of `adapter_config.json` → configuration. Raises ArtifactFormat."""
    return parse_json(AdapterConfig, data, CONFIG_FILE)


def adapter_of(artifact: Artifact, backbone: BackboneConfig) -> Adapter:
    """The float32 module of a checked artifact, in evaluation mode, for the reference forward."""
    with torch.device("meta"):  # no initialization: loading must not draw from anyone's random numbers
        adapter = empty_adapter(artifact.config, backbone)
    state = {name: tensor.to(torch.float32) for name, tensor in artifact.tensors.items()}
    adapter.load_state_dict(state, assign=True)
    return adapter.eval().requires_grad_(False)


def _decode_tensors(data: bytes, sha256: str) -> dict[str, Tensor]:
    found = hashlib.sha256(data).hexdigest()
    try:
        tensors = load(data)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise ArtifactDamaged(
            f"{TENSORS_FILE} is truncated or no safetensors file ({len(data)} bytes): {error}"
        ) from error
    if found != sha256:
        raise ArtifactDamaged(f"{TENSORS_FILE} was changed: its SHA-256 is {found}, not {sha256}")
    return tensors


def _check_tensor(name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    if tuple(tensor.shape) != shape:
        raise ArtifactDamaged(f"tensor {name} has shape {list(tensor.shape)}, not {list(shape)}")
    if tensor.dtype not in DTYPES:
        allowed = ", ".join(_dtype_name(dtype) for dtype in DTYPES)
        raise ArtifactDamaged(f"tensor {name} has dtype {_dtype_name(tensor.dtype)}, not one of {allowed}")
    if not torch.isfinite(tensor).all():
        raise ArtifactDamaged(f"tensor {name} has values that are not finite (NaN or infinity)")


def _plain_json(provenance: Mapping[str, Any]) -> Any:
    """Provenance as it will be read again: tuples become lists, paths and times text, NaN null."""
    try:
        return from_json(to_json(provenance, inf_nan_mode="null"))
    except PydanticSerializationError as error:
        raise ArtifactFormat(f"provenance must be plain JSON: {error}") from error


def _dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _more(names: Sequence[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""
