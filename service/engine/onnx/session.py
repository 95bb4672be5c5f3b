"""ONNX Runtime sessions that read and write torch's memory in place."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from adapters.errors import ConfigError

CUDA_PROVIDER, CPU_PROVIDER = "CUDAExecutionProvider", "CPUExecutionProvider"
ELEMENTS: dict[torch.dtype, Any] = {
    torch.uint8: np.uint8,
    torch.int64: np.int64,
    torch.float16: np.float16,
    torch.float32: np.float32,
}


def require_provider(device: torch.device) -> None:
    """Raise ConfigError unless this ONNX Runtime was built for the device."""
    there = onnxruntime.get_available_providers()
    if device.type == "cuda" and CUDA_PROVIDER not in there:
        raise ConfigError(
            f"onnxruntime has no {CUDA_PROVIDER} (it has: {', '.join(there)}); install onnxruntime-gpu in "
            "place of onnxruntime, or choose --device cpu or --engine torch"
        )


class BoundGraph:
    """One graph with its I/O binding: tensors are bound by address, nothing is copied."""

    def __init__(self, session: onnxruntime.InferenceSession, device: torch.device) -> None:
        self._session = session
        self._device = device
        self._binding = session.io_binding()
        self._kept: list[Tensor] = []
        self._options = onnxruntime.RunOptions()
        if device.type == "cuda":  # torch's stream orders what follows
            self._options.add_run_config_entry("disable_synchronize_execution_providers", "1")

    def keep(self, inputs: Mapping[str, Tensor]) -> None:
        """Bind inputs whose memory never moves, once for all runs."""
        for name, tensor in inputs.items():
            self._binding.bind_input(name, *self._place(tensor))
            self._kept.append(tensor)

    def run(self, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]) -> None:
        """Fill `outputs`; on CUDA what fills them is only queued on the stream when this returns."""
        for name, tensor in inputs.items():
            self._binding.bind_input(name, *self._place(tensor))
        for name, tensor in outputs.items():
            self._binding.bind_output(name, *self._place(tensor))
        self._session.run_with_iobinding(self._binding, self._options)

    def _place(self, tensor: Tensor) -> tuple[str, int, Any, tuple[int, ...], int]:
        """Device, number, element type, shape and address, as the binding takes them."""
        if not tensor.is_contiguous():
            raise ValueError("only contiguous tensors can be bound")
        kind, number = self._device.type, self._device.index or 0
        return kind, number, ELEMENTS[tensor.dtype], tuple(tensor.shape), tensor.data_ptr()


@dataclass(frozen=True)
class SessionMaker:
    """Opens graphs for one device; `threads` 0 leaves their number to ONNX Runtime."""

    device: torch.device
    threads: int = 0
    stream: "torch.cuda.Stream | None" = None

    @classmethod
    def on(cls, device: torch.device, threads: int) -> "SessionMaker":
        """Sessions for a device; on CUDA they share a stream of their own."""
        if device.type != "cuda":
            return cls(device, threads)
        return cls(device, threads, torch.cuda.Stream(device))  # type: ignore[no-untyped-call]

    def open(self, model: Path | bytes) -> BoundGraph:
        """A graph's file or bytes → ready to run. Raises ConfigError where the device's provider fails."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        # Its threads spin for speed while a graph runs; afterwards decoding needs the cores.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        source = model if isinstance(model, bytes) else str(model)
        session = onnxruntime.InferenceSession(source, options, providers=self._providers())
        if self.device.type == "cuda" and session.get_providers()[0] != CUDA_PROVIDER:
            raise ConfigError(
                f"onnxruntime's {CUDA_PROVIDER} does not start on {self.device}: it must be built for the "
                f"CUDA version of torch ({torch.version.cuda})"
            )
        return BoundGraph(session, self.device)

    def _providers(self) -> list[Any]:
        if self.stream is None:
            return [CPU_PROVIDER]
        options = {
            "device_id": str(self.device.index or 0),
            "user_compute_stream": str(self.stream.cuda_stream),
            "use_tf32": "0",  # as torch, which the answers are compared with
        }
        return [(CUDA_PROVIDER, options), CPU_PROVIDER]
