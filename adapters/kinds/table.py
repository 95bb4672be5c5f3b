"""The kinds of adapters that this release knows: one folder and one row each."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from adapters.kinds.affine.kind import AffineKind
from adapters.kinds.bottleneck.kind import BottleneckKind
from adapters.kinds.combined.kind import CombinedKind
from adapters.kinds.dvpt.kind import DvptKind
from adapters.kinds.kind import Kind
from adapters.kinds.linear.kind import LinearKind
from adapters.kinds.options import KindOptions

KINDS: Mapping[str, Kind[Any]] = MappingProxyType(
    {
        "dvpt": DvptKind(),
        "linear": LinearKind(),
        "affine": AffineKind(),
        "bottleneck": BottleneckKind(),
        "combined": CombinedKind(),
    }
)


def kind_named(name: object) -> Kind[Any]:
    """The kind of this name. Raises ValueError, which says which there are."""
    if not isinstance(name, str) or name not in KINDS:
        kinds = ", ".join(KINDS)
        raise ValueError(f"there is no kind of adapter {name!r:.80}; this release reads: {kinds}")
    return KINDS[name]


def kind_of(options: KindOptions) -> Kind[Any]:
    """The kind that these options are of."""
    return kind_named(options.kind)
