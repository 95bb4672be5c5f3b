"""Random adapters, their artifacts, and the options they may have."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from hypothesis import strategies as st

from adapters.config import BackboneConfig, PreprocessConfig
from adapters.kinds.adapter import Adapter
from adapters.kinds.affine.options import AffineOptions
from adapters.kinds.bottleneck.options import BottleneckOptions
from adapters.kinds.combined.options import CombinedOptions
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.linear.options import LinearOptions
from adapters.kinds.options import KindOptions
from adapters.kinds.table import kind_of
from adapters.store.artifact import Artifact, encode_artifact, new_artifact
from adapters.store.artifact_folder import write_files

MakeArtifact = Callable[..., Artifact]


def random_adapter(
    backbone: BackboneConfig,
    options: KindOptions,
    class_count: int,
    *,
    head_layers: int = 1,
    noise: float = 0.3,
    seed: int | None = None,
) -> Adapter:
    """An adapter as training begins, with normal noise on every parameter.

    Without a seed the numbers are the next ones of torch's own generator.
    """
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        adapter = Adapter(options, backbone, class_count, head_layers=head_layers).eval()
        with torch.no_grad():
            for parameter in adapter.parameters():
                parameter.add_(noise * torch.randn_like(parameter))
    return adapter


def random_artifact(
    backbone: BackboneConfig,
    options: KindOptions,
    classes: int | Sequence[str] = 3,
    *,
    method: str | None = None,
    head_layers: int = 1,
    noise: float = 0.3,
    seed: int | None = None,
    preprocess: PreprocessConfig | None = None,
    provenance: Mapping[str, Any] | None = None,
    card: Mapping[str, bytes] | None = None,
    dtype: torch.dtype = torch.float32,
) -> Artifact:
    """The artifact of a `random_adapter`; classes given as a number are called `class 0`, `class 1`, …"""
    names = [f"class {index}" for index in range(classes)] if isinstance(classes, int) else list(classes)
    return new_artifact(
        random_adapter(backbone, options, len(names), head_layers=head_layers, noise=noise, seed=seed),
        method=method or kind_of(options).methods[0],
        classes=names,
        backbone=backbone,
        preprocess=preprocess or PreprocessConfig(),
        provenance=provenance or {},
        card=card,
        dtype=dtype,
    )


def kind_options(max_meta_layers: int) -> st.SearchStrategy[KindOptions]:
    """Options of every kind, DVPT's in all their variants."""
    dvpt = st.builds(
        DvptOptions,
        count=st.integers(1, 4),
        deep=st.booleans(),
        meta_net=st.sampled_from(["none", "shared", "specific"]),
        meta_layers=st.integers(2, max_meta_layers),
        meta_hidden=st.sampled_from([0, 5]),
        meta_input=st.sampled_from(["mean", "token"]),
        meta_norm=st.booleans(),
        dynamic_layers=st.sampled_from(["first", "all"]),
    )
    affine = st.builds(AffineOptions, biases=st.booleans())
    bottleneck = st.builds(BottleneckOptions, width=st.integers(1, 9))
    combined = st.one_of(
        st.builds(CombinedOptions, dvpt=dvpt, affine=affine, bottleneck=st.none() | bottleneck),
        st.builds(CombinedOptions, dvpt=dvpt, affine=st.none(), bottleneck=bottleneck),
        st.builds(CombinedOptions, dvpt=st.none(), affine=affine, bottleneck=bottleneck),
    )
    return dvpt | st.just(LinearOptions()) | affine | bottleneck | combined


def write_artifact(artifact: Artifact, directory: Path, backbone: BackboneConfig) -> None:
    """Write the artifact's files, the configuration last. Raises StoreConflict where something is already."""
    write_files(encode_artifact(artifact, backbone), directory)
