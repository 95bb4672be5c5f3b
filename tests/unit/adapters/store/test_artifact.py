"""An artifact loads as it was saved, and what could not be loaded is not made."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from torch import nn

from adapters.config import BackboneConfig, PreprocessConfig
from adapters.errors import ArtifactDamaged, ArtifactFormat
from adapters.kinds.adapter import Adapter
from adapters.kinds.adapter_config import AdapterConfig
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.linear.options import LinearOptions
from adapters.kinds.options import KindOptions
from adapters.store.artifact import (
    CONFIG_FILE,
    TENSORS_FILE,
    Artifact,
    adapter_of,
    check_artifact,
    decode_artifact,
    encode_artifact,
    new_artifact,
)
from adapters.store.labels import LabelFile
from adapters.vit.backbone import Backbone
from tests.support.artifacts import MakeArtifact, kind_options
from tests.support.pictures import pixels

Files = dict[str, bytes]
MODELS: dict[type[BaseModel], str] = {
    BackboneConfig: "",
    AdapterConfig: "",
    DvptOptions: "options.",
    LinearOptions: "options.",
    PreprocessConfig: "preprocess.",
    LabelFile: "",
}


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    options=kind_options(max_meta_layers=6),
    class_count=st.sampled_from([1, 2, 17, 300]),
    head_layers=st.integers(1, 3),
    dtype=st.sampled_from([torch.float32, torch.float16, torch.bfloat16]),
    note=st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text()
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    ),
)  # fmt: skip
def test_what_is_saved_loads_equal(
    make_artifact: MakeArtifact,
    backbone: Backbone,
    options: KindOptions,
    class_count: int,
    head_layers: int,
    dtype: torch.dtype,
    note: object,
) -> None:
    saved = make_artifact(options, class_count=class_count, head_layers=head_layers, dtype=dtype, note=note)
    loaded = decode_artifact(encode_artifact(saved, backbone.config), backbone.config)
    assert loaded.config == saved.config
    assert loaded.card == saved.card
    assert loaded.tensors.keys() == saved.tensors.keys()
    for name, tensor in saved.tensors.items():
        assert loaded.tensors[name].dtype == dtype
        assert torch.equal(loaded.tensors[name], tensor)


def test_the_configuration_comes_last_and_hashes_the_tensors(
    make_artifact: MakeArtifact, backbone: Backbone
) -> None:
    artifact = make_artifact()
    files = encode_artifact(artifact, backbone.config)
    assert list(files)[-1] == CONFIG_FILE
    assert artifact.config.tensors_sha256 == hashlib.sha256(files[TENSORS_FILE]).hexdigest()


def new_tiny(adapter: Adapter, backbone: Backbone, **changes: Any) -> Artifact:
    values: dict[str, Any] = {
        "method": "dvpt",
        "classes": ["a", "b"],
        "backbone": backbone.config,
        "preprocess": PreprocessConfig(),
        "provenance": {},
    }
    return new_artifact(adapter, **(values | changes))


def test_the_float32_module_answers_as_the_adapter_did(backbone: Backbone) -> None:
    adapter = Adapter(DvptOptions(count=2), backbone.config, 2, head_layers=2).eval()
    images = pixels(3)
    artifact = new_tiny(adapter, backbone, dtype=torch.float32)
    random_state = torch.get_rng_state()
    loaded = adapter_of(artifact, backbone.config)
    assert torch.equal(torch.get_rng_state(), random_state)
    torch.testing.assert_close(loaded(backbone, images), adapter(backbone, images))


def test_the_artifact_does_not_share_memory_with_the_adapter(backbone: Backbone) -> None:
    adapter = Adapter(DvptOptions(count=2), backbone.config, 2)
    artifact = new_tiny(adapter, backbone, dtype=torch.float32)
    before = artifact.tensors["body.prompts"].clone()
    nn.init.zeros_(adapter.get_parameter("body.prompts"))
    assert torch.equal(artifact.tensors["body.prompts"], before)
    check_artifact(artifact.config, artifact.tensors, backbone.config)


def test_what_could_not_be_loaded_is_not_made(backbone: Backbone) -> None:
    adapter = Adapter(DvptOptions(count=2), backbone.config, 2)
    with pytest.raises(ArtifactDamaged, match=r"head\.0\.weight has shape \[2, 48\], not \[3, 48\]"):
        new_tiny(adapter, backbone, classes=["a", "b", "c"])
    with pytest.raises(ArtifactFormat, match="'method'"):
        new_tiny(adapter, backbone, method="magic")
    with pytest.raises(ArtifactFormat, match=r"card file '\.\./README\.md' is not allowed"):
        new_tiny(adapter, backbone, card={"../README.md": b""})
    with pytest.raises(ArtifactFormat, match="provenance must be plain JSON"):
        new_tiny(adapter, backbone, provenance={"model": nn.Identity()})
    adapter.head = nn.Sequential(nn.BatchNorm1d(48), nn.Linear(48, 2))
    with pytest.raises(ArtifactFormat, match="folded to plain linear maps, not Sequential"):
        new_tiny(adapter, backbone)


def test_values_too_large_for_the_format_are_refused(backbone: Backbone) -> None:
    adapter = Adapter(DvptOptions(count=2), backbone.config, 2)
    nn.init.constant_(adapter.get_parameter("body.prompts"), 1e30)
    with pytest.raises(ArtifactDamaged, match=r"body\.prompts has values that are not finite"):
        new_tiny(adapter, backbone, dtype=torch.float16)


def test_provenance_is_kept_as_it_will_be_read(backbone: Backbone) -> None:
    adapter = Adapter(DvptOptions(count=2), backbone.config, 2)
    artifact = new_tiny(adapter, backbone, provenance={"seeds": (1, 2), "loss": float("nan")})
    assert artifact.config.provenance == {"seeds": [1, 2], "loss": None}


def test_every_key_is_specified() -> None:
    specification = Path(__file__).parents[4].joinpath("docs", "artifact-format.md").read_text()
    for model, prefix in MODELS.items():
        for key in model.model_fields:
            assert f"`{prefix}{key}`" in specification or key in ("options", "preprocess")
