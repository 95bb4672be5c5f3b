"""Faults of torch and ONNX Runtime in the service's terms."""

import onnxruntime
import pytest
import torch
from onnx import parser

from adapters.errors import ConfigError
from service.engine.device_faults import device_faults
from service.errors import DeviceLost, OutOfDeviceMemory

# The text that ONNX Runtime gives CUDA's errors.
CUDA_FAULT = (
    "CUDA failure 700: an illegal memory access was encountered ; GPU=0 ; hostname=rack7 ; "
    "file=cuda_call.cc ; line=129 ; expr=cudaStreamSynchronize(stream);"
)


def test_memory_that_onnx_runtime_cannot_have_is_told_as_such() -> None:
    graph = parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 18]> g (float[1] x, int64[1] shape) => (float[n] y)'
        "{ y = Expand (x, shape) }"
    )
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"], sess_options=_quiet()
    )
    inputs = {"x": torch.ones(1).numpy(), "shape": torch.tensor([2**45]).numpy()}

    with pytest.raises(OutOfDeviceMemory), device_faults():
        session.run(None, inputs)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        (CUDA_FAULT, DeviceLost),
        ("CUBLAS failure 13: CUBLAS_STATUS_EXECUTION_FAILED", DeviceLost),
        ("CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED", OutOfDeviceMemory),
        ("CUDA failure 2: out of memory ; GPU=0 ; hostname=rack7", OutOfDeviceMemory),
        ("BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer", OutOfDeviceMemory),
    ],
)
def test_what_onnx_runtime_says_of_a_gpu_is_told_apart(text: str, meaning: type[Exception]) -> None:
    with pytest.raises(meaning) as raised, device_faults():
        raise Exception(f"[ONNXRuntimeError] : 1 : FAIL : {text}")  # noqa: TRY002 - as onnxruntime does

    assert type(raised.value) is meaning
    assert "rack7" not in str(raised.value)


def test_other_errors_pass_as_they_are() -> None:
    with pytest.raises(ConfigError, match="CUDA error"), device_faults():
        raise ConfigError("no CUDA error, but a setting")
    with pytest.raises(KeyError), device_faults():
        raise KeyError("x")


def _quiet() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return options
