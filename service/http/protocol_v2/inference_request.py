"""An inference request of the Open Inference Protocol: its JSON, and the binary tensors behind it.

https://github.com/kserve/open-inference-protocol, and Triton's extensions for binary data, classification
and parameters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from adapters.config import StrictModel
from service.errors import BadBody, RequestTooLarge
from service.http.protocol_v2.contract import INPUT, OUTPUTS, PROBABILITIES
from service.http.protocol_v2.json_numbers import cut_numbers
from service.http.protocol_v2.validated import validated
from service.http.request.json_body import read_json

HEADER_LENGTH = "Inference-Header-Content-Length"
MOST_JSON_MARKS = 1 << 14
"""Quotes, commas and brackets of the JSON but for the numbers: parsing it holds up every other thread."""
STEP_BYTES = 1 << 20
MOST_OUTPUTS = 16
MARKS = (b'"', b",", b"[", b"{")
Size = Annotated[int, Field(ge=1, le=2**31)]


class _Parameters(BaseModel):
    """What is known of the parameters at one place; a client may send others, which say nothing here."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class RequestParameters(_Parameters):
    """`timeout` is in microseconds, as Triton has it; 0 is none."""

    timeout: int = Field(default=0, ge=0)
    binary_data_output: bool = False


class InputParameters(_Parameters):
    """`binary_data_size` in bytes."""

    binary_data_size: int | None = Field(default=None, ge=0)
    content_type: str | None = None


class OutputParameters(_Parameters):
    """`classification`: how many classes to tell, as texts, instead of all numbers."""

    binary_data: bool | None = None
    classification: int = Field(default=0, ge=0)


class InputTensor(StrictModel):
    """A tensor of the request; its values stand in `data`, or behind the JSON.

    Once it is read, `data` is a list, or the text of one that has numbers only.
    """

    name: str
    datatype: str
    shape: list[Size] = Field(min_length=1, max_length=8)
    parameters: InputParameters = InputParameters()
    data: Any = None


class RequestedOutput(StrictModel):
    """An output that the client wants."""

    name: str
    parameters: OutputParameters = OutputParameters()


class InferenceRequest(StrictModel):
    """The JSON of a request. Its path names the model; clients that name it here too are not in the wrong."""

    id: str | None = Field(default=None, max_length=1024)
    parameters: RequestParameters = RequestParameters()
    inputs: list[InputTensor]
    outputs: list[RequestedOutput] = Field(default=[], max_length=MOST_OUTPUTS)
    model_name: str | None = None
    model_version: str | None = None


@dataclass(frozen=True)
class AskedFor:
    """What a request wants: `outputs`, each in binary or not, and an answer in time if it says so."""

    id: str | None
    outputs: Sequence[RequestedOutput]
    binary: bool
    timeout_ms: int | None


@dataclass(frozen=True)
class Inference:
    """A request that was read: what it wants, its only input, and that one's bytes if it is binary."""

    asked: AskedFor
    image: InputTensor
    raw: memoryview | None


def header_length(headers: Mapping[str, str]) -> int | None:
    """Of how many bytes the JSON is, None where the whole body is. Raises BadBody."""
    text = headers.get(HEADER_LENGTH)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise BadBody(f"{HEADER_LENGTH} must be a number of bytes, not {text!r:.80}")
    return int(text)


def parse_inference(body: bytes, json_bytes: int | None) -> Inference:
    """Body → request; `json_bytes` at its begin are JSON, all of them if None.

    0 is Triton's raw request: the whole body is one encoded picture. Raises BadBody and RequestTooLarge.
    """
    if json_bytes == 0:
        image = InputTensor(name=INPUT, datatype="BYTES", shape=[1])
        framed = len(body).to_bytes(4, "little") + body
        return Inference(_asked(InferenceRequest(inputs=[image])), image, memoryview(framed))
    if json_bytes is not None and json_bytes > len(body):
        raise BadBody(f"{HEADER_LENGTH} is {json_bytes}, but the body has {len(body)} bytes")
    header, behind = body[:json_bytes], memoryview(body)[len(body) if json_bytes is None else json_bytes :]
    header, numbers = cut_numbers(header)
    _check_marks(header)
    request = validated(InferenceRequest, read_json(header))
    image = _only_image(request.inputs)
    if numbers is not None and image.data == []:
        image = image.model_copy(update={"data": numbers})
    _check_outputs(request.outputs)
    return Inference(_asked(request), image, _raw(image, behind))


def _asked(request: InferenceRequest) -> AskedFor:
    given = request.parameters
    timeout_ms = -(-given.timeout // 1000) or None  # what is below a millisecond is one
    outputs = request.outputs or [RequestedOutput(name=PROBABILITIES)]
    return AskedFor(request.id, outputs, given.binary_data_output, timeout_ms)


def _check_marks(header: bytes) -> None:
    marks = 0
    for at in range(0, len(header), STEP_BYTES):  # so that other threads have their turn
        marks += sum(header.count(mark, at, at + STEP_BYTES) for mark in MARKS)
        if marks > MOST_JSON_MARKS:
            raise RequestTooLarge(
                f"the JSON has more than {MOST_JSON_MARKS} quotes, commas and brackets beside its numbers"
            )


def _only_image(inputs: Sequence[InputTensor]) -> InputTensor:
    if len(inputs) != 1:
        raise BadBody(f"there is one input, {INPUT!r}; the request has {len(inputs)}")
    if inputs[0].name != INPUT:
        raise BadBody(f"there is no input {inputs[0].name!r:.80}; there is {INPUT!r}")
    return inputs[0]


def _check_outputs(outputs: Sequence[RequestedOutput]) -> None:
    names = [output.name for output in outputs]
    for output in outputs:
        if output.name not in OUTPUTS:
            raise BadBody(f"there is no output {output.name!r:.80}; there are {', '.join(OUTPUTS)}")
        if names.count(output.name) > 1:
            raise BadBody(f"the output {output.name!r} is asked for more than once")
        if output.parameters.classification and output.name != PROBABILITIES:
            raise BadBody(f"classification is for the output {PROBABILITIES!r}, not for {output.name!r}")


def _raw(image: InputTensor, behind: memoryview) -> memoryview | None:
    size = image.parameters.binary_data_size
    if size is None:
        if len(behind):
            raise BadBody(
                f"{len(behind)} bytes behind the JSON belong to no input: none has binary_data_size"
            )
        if image.data is None:
            raise BadBody(f"the input {image.name!r} has neither data nor binary_data_size")
        return None
    if image.data is not None:
        raise BadBody(f"the input {image.name!r} has both data and binary_data_size")
    if size != len(behind):
        raise BadBody(f"the input {image.name!r} says {size} bytes; behind the JSON are {len(behind)}")
    return behind
