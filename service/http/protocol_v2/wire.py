"""The shapes of the JSON that the Open Inference Protocol has, as OpenAPI documents them."""

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict


class Live(TypedDict):
    """Whether the process lives."""

    live: bool


class Ready(TypedDict):
    """Whether a server, or one model, answers; `name` is the model's."""

    name: NotRequired[str]
    ready: bool


class ServerMetadata(TypedDict):
    """What server this is."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(TypedDict):
    """A tensor's name, type and shape; -1 stands for the number of pictures."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(TypedDict):
    """What a task takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
    parameters: dict[str, str]


class OutputTensor(TypedDict):
    """An output, with its values unless they follow in binary."""

    name: str
    datatype: str
    shape: list[int]
    parameters: NotRequired[dict[str, int]]
    data: NotRequired[list[Any]]


class InferenceAnswer(TypedDict):
    """The answer to an inference request; every picture was answered by this one version."""

    id: NotRequired[str]
    model_name: str
    model_version: str
    outputs: list[OutputTensor]


class ProtocolError(TypedDict):
    """What is wrong: `error` for people, `code` is stable; and what else a problem of `/v1` has."""

    error: str
    code: str
    request_id: str


class Duration(TypedDict):
    """How often, and nanoseconds in all."""

    count: int
    ns: int


class ModelStatistics(TypedDict):
    """What one version answered in this process; `last_inference` in milliseconds since 1970."""

    name: str
    version: str
    last_inference: int
    inference_count: int
    execution_count: int
    inference_stats: dict[str, Duration]
    batch_stats: list[Any]


class StatisticsAnswer(TypedDict):
    """Statistics of one version or many."""

    model_stats: list[ModelStatistics]


class IndexedVersion(TypedDict):
    """One version in the index; `reason` says why it is not ready."""

    name: str
    version: str
    state: Literal["READY", "UNAVAILABLE"]
    reason: str
