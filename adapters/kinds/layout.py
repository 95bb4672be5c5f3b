"""What must be equal for rows to share one forward pass, and where an adapter sits in the bank."""

from dataclasses import dataclass

from adapters.config import BackboneConfig
from adapters.kinds.options import KindOptions
from adapters.kinds.table import kind_of


@dataclass(frozen=True)
class Layout:
    """The options of a kind in the canonical form that it gives them; heads and preprocessing are outside."""

    options: KindOptions

    @classmethod
    def of(cls, options: KindOptions, backbone: BackboneConfig) -> "Layout":
        """The layout that an adapter with these options takes."""
        return cls(kind_of(options).layout(options, backbone))

    def __str__(self) -> str:
        """A short name for logs and metrics, such as `p10-deep-shared4x48`."""
        return kind_of(self.options).layout_name(self.options)


@dataclass(frozen=True)
class HeadShape:
    """Heads that share one bmm: k linear maps, the last padded to `class_capacity` rows."""

    layers: int
    class_capacity: int

    @classmethod
    def of(cls, layers: int, class_count: int) -> "HeadShape":
        """The smallest bucket of 16, 128, 1024, … classes that `class_count` fits into."""
        capacity = 16
        while capacity < class_count:
            capacity *= 8
        return cls(layers, capacity)


@dataclass(frozen=True)
class Slot:
    """One adapter's place in the bank: its index in the layout's tensors and in its head bucket's."""

    layout: Layout
    index: int
    head: HeadShape
    head_index: int
    class_count: int
