"""What a kind of adapter is to the rest of the house: the store, the bank and the engines know no more."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from adapters.config import BackboneConfig
from adapters.kinds.options import KindOptions
from adapters.vit.row_parameters import RowParameters

Options = TypeVar("Options", bound=KindOptions)


class Kind(Protocol[Options]):
    """One way to fit the frozen blocks to a task; the head is outside of it.

    A kind's folder holds all that is particular to it, and `adapters.kinds.table` names it. A *layout* is
    written as options too: those of a kind in canonical form, the same for all rows that share a pass.
    """

    @property
    def options(self) -> type[Options]:
        """The strict model of the kind's options; its field `kind` is the name in the table."""

    @property
    def methods(self) -> tuple[str, ...]:
        """The training methods that make such adapters."""

    def layout(self, options: Options, backbone: BackboneConfig) -> KindOptions:
        """The layout that adapters with these options take, which may be another kind's.

        Its stack must take them in; what they lack is neutral there.
        """

    def layout_name(self, layout: Options) -> str:
        """A short name for logs and metrics, such as `p10-deep-shared4x48`."""

    def body(self, options: Options, backbone: BackboneConfig) -> nn.Module:
        """The reference: a fresh module, patch tokens E₀ [B, N, D] → RowParameters.

        Names and shapes of the kind's tensors are those of its state; torch's meta device must do.
        """

    def stack(
        self,
        layout: Options,
        backbone: BackboneConfig,
        slots: int,
        *,
        device: torch.device,
        dtype: torch.dtype,
    ) -> "Stack[Any]":
        """Memory for `slots` adapters of one layout, all neutral at first."""

    def graphs(
        self, layout: Options, backbone: BackboneConfig, *, prefix: int, half: bool
    ) -> "tuple[RowGraph, ...]":
        """What the layout's stack computes, as ONNX graphs; none where rows bring nothing of their own.

        Their stacks together are the tensors of the layout's stack, in the same order.
        `prefix` counts the tokens before the patches. Tokens, stack and outputs are float16 where `half`,
        else float32. Needs the `onnx` extra.
        """


class Stack(ABC, Generic[Options]):
    """The parameters of many adapters of one layout in a bank's memory, by slot.

    Its tensors [S, …] are allocated once and never move. Slot 0 is never written: it stays neutral.
    """

    @property
    @abstractmethod
    def tensors(self) -> tuple[Tensor, ...]:
        """Every stacked tensor."""

    @abstractmethod
    def write(self, slot: int, options: Options, tensors: Mapping[str, Tensor]) -> None:
        """Copy one adapter's tensors, named as in its body; nothing may stay of the adapter before."""

    @torch.inference_mode()
    def clear(self, slot: int) -> None:
        """Make a slot neutral, as the null slot is."""
        for tensor in self.tensors:
            tensor[slot].zero_()

    @abstractmethod
    def read(self, slot: int, options: Options) -> dict[str, Tensor]:
        """Copies, on the host, of what `write` was given."""

    @abstractmethod
    def row_parameters(self, patches: Tensor, index: Tensor) -> RowParameters:
        """Patch tokens [B, N, D] and slots [B] → what each row's body would give for its picture.

        Tensors alone, no branch on their values: it is captured in CUDA graphs.
        """

    def memory_bytes(self) -> int:
        """Bytes of the stacked tensors."""
        return sum(tensor.nbytes for tensor in self.tensors)

    def addresses(self) -> tuple[int, ...]:
        """Where the stacked tensors lie."""
        return tuple(tensor.data_ptr() for tensor in self.tensors)


@dataclass(frozen=True)
class RowGraph:
    """An ONNX graph: `tokens` [B, prefix + N, D], `index` [B] and a stack → inputs of the encoder's graph.

    `stack` names the graph's inputs in the order of `Stack.tensors`; `outputs` gives the shape of each
    output without its axis of rows, under the name that `adapters.vit.onnx.Encode` knows it by.
    """

    model: bytes
    stack: tuple[str, ...]
    outputs: Mapping[str, tuple[int, ...]]
