"""An artifact loads as it was saved, and every kind of damage is refused by name."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save
from torch import Tensor, nn

from adapters.artifact import (
    CONFIG_FILE,
    TENSORS_FILE,
    Artifact,
    adapter_of,
    check_artifact,
    decode_artifact,
    encode_artifact,
    new_artifact,
)
from adapters.backbone import Backbone
from adapters.config import PreprocessConfig, PromptConfig
from adapters.dvpt import Adapter
from adapters.errors import ArtifactDamaged, ArtifactError, ArtifactFormat, BackboneMismatch

Files = dict[str, bytes]
MakeArtifact = Callable[..., Artifact]

prompt_options = st.builds(
    PromptConfig,
    count=st.integers(1, 4),
    deep=st.booleans(),
    meta_net=st.sampled_from(["none", "shared", "specific"]),
    meta_layers=st.integers(2, 6),
    meta_hidden=st.sampled_from([0, 5]),
    meta_input=st.sampled_from(["mean", "token"]),
    meta_norm=st.booleans(),
    dynamic_layers=st.sampled_from(["first", "all"]),
) | st.just(PromptConfig(count=0, meta_net="none"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    options=prompt_options,
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
    options: PromptConfig,
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


def with_config(files: Files, **changes: Any) -> Files:
    config = json.loads(files[CONFIG_FILE]) | changes
    return files | {CONFIG_FILE: json.dumps(config).encode()}


def with_tensors(files: Files, change: Callable[[dict[str, Tensor]], None]) -> Files:
    """Tensors changed and hashed again: damage that no checksum shows."""
    tensors = load(files[TENSORS_FILE])
    change(tensors)
    data = save(tensors)
    return with_config(files | {TENSORS_FILE: data}, tensors_sha256=hashlib.sha256(data).hexdigest())


def put(name: str, tensor: Tensor) -> Callable[[dict[str, Tensor]], None]:
    return lambda tensors: tensors.update({name: tensor})


def take(name: str) -> Callable[[dict[str, Tensor]], None]:
    def change(tensors: dict[str, Tensor]) -> None:
        del tensors[name]

    return change


def flip(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


def without(files: Files, name: str) -> Files:
    return {key: data for key, data in files.items() if key != name}


def spoil(value: float) -> Callable[[dict[str, Tensor]], None]:
    def change(tensors: dict[str, Tensor]) -> None:
        tensors["head.0.weight"][2, 3] = value

    return change


BIAS = torch.zeros(5, dtype=torch.bfloat16)
DAMAGE: dict[str, tuple[Callable[[Files], Files], type[Exception], str]] = {
    "truncated tensors": (
        lambda files: files | {TENSORS_FILE: files[TENSORS_FILE][:-7]},
        ArtifactDamaged,
        r"adapter_model\.safetensors is truncated",
    ),
    "empty tensors": (lambda files: files | {TENSORS_FILE: b""}, ArtifactDamaged, "is truncated"),
    "tensors of another kind": (
        lambda files: files | {TENSORS_FILE: b"\x80\x04pickle" * 20},
        ArtifactDamaged,
        "no safetensors file",
    ),
    "flipped bit in a tensor": (
        lambda files: files | {TENSORS_FILE: flip(files[TENSORS_FILE], -20)},
        ArtifactDamaged,
        r"adapter_model\.safetensors was changed: its SHA-256 is",
    ),
    "bytes appended": (
        lambda files: files | {TENSORS_FILE: files[TENSORS_FILE] + b"x"},
        ArtifactDamaged,
        "truncated or no safetensors file",
    ),
    "no tensors": (lambda files: without(files, TENSORS_FILE), ArtifactDamaged, "safetensors is missing"),
    "no configuration": (lambda files: without(files, CONFIG_FILE), ArtifactDamaged, "json is missing"),
    "missing tensor": (
        lambda files: with_tensors(files, take("prompts")), ArtifactDamaged, "tensor prompts is missing"
    ),
    "extra tensor": (
        lambda files: with_tensors(files, put("../evil", BIAS)),
        ArtifactDamaged,
        r"tensor \.\./evil does not belong",
    ),
    "wrong shape": (
        lambda files: with_tensors(files, put("head.0.bias", BIAS[:4].clone())),
        ArtifactDamaged,
        r"tensor head\.0\.bias has shape \[4\], not \[5\]",
    ),
    "wrong dtype": (
        lambda files: with_tensors(files, put("head.0.bias", BIAS.to(torch.int16))),
        ArtifactDamaged,
        r"tensor head\.0\.bias has dtype int16, not one of float32, float16, bfloat16",
    ),
    "double precision": (
        lambda files: with_tensors(files, put("head.0.bias", BIAS.double())), ArtifactDamaged, "dtype float64"
    ),
    "NaN": (
        lambda files: with_tensors(files, spoil(float("nan"))),
        ArtifactDamaged,
        r"tensor head\.0\.weight has values that are not finite",
    ),
    "infinity": (
        lambda files: with_tensors(files, spoil(float("inf"))), ArtifactDamaged, "values that are not finite"
    ),
    "another backbone": (
        lambda files: with_config(files, backbone_sha256="ab" * 32),
        BackboneMismatch,
        "made for the backbone with SHA-256 abab.*, not for vit_dvpt_patch8_64",
    ),
    "newer format": (
        lambda files: with_config(files, format_version=2, more=True),
        ArtifactFormat,
        "format version 2; this release reads up to 1, so it was written by a newer one",
    ),
    "impossible format": (
        lambda files: with_config(files, format_version="one"), ArtifactFormat, "'format_version'"
    ),
    "unknown key": (lambda files: with_config(files, surprise=1), ArtifactFormat, "unknown key 'surprise'"),
    "unknown key inside": (
        lambda files: with_config(files, preprocess={"fit": "squash", "zoom": 2}),
        ArtifactFormat,
        r"unknown key 'preprocess\.zoom'",
    ),
    "missing key": (lambda files: with_config(files, prompts=None), ArtifactFormat, "'prompts'"),
    "wrong type": (
        lambda files: with_config(files, head_layers="1"), ArtifactFormat, "'head_layers': .*integer, got '1'"
    ),
    "impossible value": (
        lambda files: with_config(files, method="magic"), ArtifactFormat, "'method': .*got 'magic'"
    ),
    "infinite value": (
        lambda files: files | {CONFIG_FILE: files[CONFIG_FILE].replace(b"1.143", b"Infinity")},
        ArtifactFormat,
        "adapter_config.json",
    ),
    "repeated class": (
        lambda files: with_config(files, classes=["a"] * 5), ArtifactFormat, "classes must be distinct"
    ),
    "another number of classes": (
        lambda files: with_config(files, classes=["a", "b"]),
        ArtifactDamaged,
        r"tensor head\.0\.weight has shape \[5, 48\], not \[2, 48\]",
    ),
    "truncated configuration": (
        lambda files: files | {CONFIG_FILE: files[CONFIG_FILE][:40]}, ArtifactFormat, "is not readable JSON"
    ),
    "binary configuration": (
        lambda files: files | {CONFIG_FILE: b"\xff\xfe\x00"}, ArtifactFormat, "is not readable JSON"
    ),
    "deeply nested configuration": (
        lambda files: files | {CONFIG_FILE: b"[" * 100_000}, ArtifactFormat, "is not readable JSON"
    ),
    "configuration that is a list": (
        lambda files: files | {CONFIG_FILE: b"[]"}, ArtifactFormat, "a JSON list, not an object"
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_refused_by_name(make_artifact: MakeArtifact, backbone: Backbone, kind: str) -> None:
    files = encode_artifact(make_artifact(), backbone.config)
    damage, error, message = DAMAGE[kind]
    with pytest.raises(error, match=message) as caught:
        decode_artifact(damage(files), backbone.config)
    assert "\n" not in str(caught.value)


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_any_flipped_bit_of_the_tensors_is_seen(
    make_artifact: MakeArtifact, backbone: Backbone, data: st.DataObject
) -> None:
    files = encode_artifact(make_artifact(), backbone.config)
    tensors = bytearray(files[TENSORS_FILE])
    bit = data.draw(st.integers(0, len(tensors) * 8 - 1))
    tensors[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ArtifactDamaged):
        decode_artifact(files | {TENSORS_FILE: bytes(tensors)}, backbone.config)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_bytes_as_configuration_give_a_domain_error_or_load(
    make_artifact: MakeArtifact, backbone: Backbone, data: st.DataObject
) -> None:
    files = encode_artifact(make_artifact(), backbone.config)
    config = bytearray(files[CONFIG_FILE])
    for position in data.draw(st.lists(st.integers(0, len(config) - 1), max_size=3)):
        config[position] = data.draw(st.integers(0, 255))
    try:
        decode_artifact(files | {CONFIG_FILE: bytes(config)}, backbone.config)
    except (ArtifactError, BackboneMismatch) as error:
        assert "\n" not in str(error)  # noqa: PT017 - most of these do not load, some do


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
    adapter = Adapter(PromptConfig(count=2), backbone.config, 2, head_layers=2).eval()
    images = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)
    artifact = new_tiny(adapter, backbone, dtype=torch.float32)
    random_state = torch.get_rng_state()
    loaded = adapter_of(artifact, backbone.config)
    assert torch.equal(torch.get_rng_state(), random_state)
    torch.testing.assert_close(loaded(backbone, images), adapter(backbone, images))


def test_the_artifact_does_not_share_memory_with_the_adapter(backbone: Backbone) -> None:
    adapter = Adapter(PromptConfig(count=2), backbone.config, 2)
    artifact = new_tiny(adapter, backbone, dtype=torch.float32)
    before = artifact.tensors["prompts"].clone()
    nn.init.zeros_(adapter.get_parameter("prompts"))
    assert torch.equal(artifact.tensors["prompts"], before)
    check_artifact(artifact.config, artifact.tensors, backbone.config)


def test_what_could_not_be_loaded_is_not_made(backbone: Backbone) -> None:
    adapter = Adapter(PromptConfig(count=2), backbone.config, 2)
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
    adapter = Adapter(PromptConfig(count=2), backbone.config, 2)
    nn.init.constant_(adapter.get_parameter("prompts"), 1e30)
    with pytest.raises(ArtifactDamaged, match="prompts has values that are not finite"):
        new_tiny(adapter, backbone, dtype=torch.float16)


def test_provenance_is_kept_as_it_will_be_read(backbone: Backbone) -> None:
    adapter = Adapter(PromptConfig(count=2), backbone.config, 2)
    artifact = new_tiny(adapter, backbone, provenance={"seeds": (1, 2), "loss": float("nan")})
    assert artifact.config.provenance == {"seeds": [1, 2], "loss": None}
