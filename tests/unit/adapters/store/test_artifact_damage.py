"""Every kind of damage to an artifact is refused, and the error names it."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save
from torch import Tensor

from adapters.errors import ArtifactDamaged, ArtifactError, ArtifactFormat, BackboneMismatch
from adapters.store.artifact import (
    CONFIG_FILE,
    TENSORS_FILE,
    decode_artifact,
    encode_artifact,
)
from adapters.vit.backbone import Backbone
from tests.support.artifacts import MakeArtifact

Files = dict[str, bytes]


def with_config(files: Files, **changes: Any) -> Files:
    config = json.loads(files[CONFIG_FILE]) | changes
    return files | {CONFIG_FILE: json.dumps(config).encode()}


def with_options(files: Files, **changes: Any) -> Files:
    return with_config(files, options=json.loads(files[CONFIG_FILE])["options"] | changes)


def without_keys(files: Files, *keys: str) -> Files:
    config = json.loads(files[CONFIG_FILE])
    return files | {CONFIG_FILE: json.dumps({key: config[key] for key in config.keys() - {*keys}}).encode()}


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
        lambda files: with_tensors(files, take("body.prompts")),
        ArtifactDamaged,
        r"tensor body\.prompts is missing",
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
    "missing key": (
        lambda files: without_keys(files, "method"), ArtifactFormat, "key 'method' is missing"
    ),
    "missing key that has a default": (
        lambda files: without_keys(files, "head_layers"), ArtifactFormat, "key 'head_layers' is missing"
    ),
    "missing key inside": (
        lambda files: with_config(files, preprocess={"fit": "crop", "resize_ratio": 1.1}),
        ArtifactFormat,
        r"key 'preprocess\.interpolation' is missing",
    ),
    "null for a value": (lambda files: with_config(files, options=None), ArtifactFormat, "'options'"),
    "unknown kind": (
        lambda files: with_config(files, options={"kind": "hologram"}),
        ArtifactFormat,
        "'options': there is no kind of adapter 'hologram'; this release reads: dvpt, linear",
    ),
    "no kind": (
        lambda files: with_options(files, kind=None), ArtifactFormat, "no kind of adapter None"
    ),
    "unknown option": (
        lambda files: with_options(files, zoom=2), ArtifactFormat, r"unknown key 'options\.zoom'"
    ),
    "missing option that has a default": (
        lambda files: with_config(files, options={"kind": "dvpt", "count": 3}),
        ArtifactFormat,
        r"key 'options\.deep' is missing",
    ),
    "missing kind": (
        lambda files: with_config(files, options={"count": 3}), ArtifactFormat, r"'options\.kind' is missing"
    ),
    "wrong type of an option": (
        lambda files: with_options(files, count="3"), ArtifactFormat, r"'options\.count': .*integer, got '3'"
    ),
    "impossible option": (
        lambda files: with_options(files, count=0), ArtifactFormat, r"'options\.count': .*got 0"
    ),
    "options of another kind": (
        lambda files: with_options(files, kind="linear"), ArtifactFormat, r"unknown key 'options\.count'"
    ),
    "no format version": (
        lambda files: without_keys(files, "format_version"), ArtifactFormat, "whole number, got None"
    ),
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
