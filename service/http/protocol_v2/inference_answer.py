"""The answer to an inference request: JSON, and behind it the tensors that are wanted in binary."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import to_json
from starlette.responses import Response

from service.errors import BadBody
from service.http.classifier import Classified
from service.http.protocol_v2.contract import ACCEPTED, LABEL, PROBABILITIES
from service.http.protocol_v2.inference_request import HEADER_LENGTH, AskedFor
from service.http.protocol_v2.wire import InferenceAnswer, OutputTensor

Values = tuple[str, NDArray[Any]]
"""A datatype of the protocol, and the values; texts are objects."""


def inference_response(classified: Classified, asked: AskedFor) -> Response:
    """The outputs that were asked for. Raises BadBody for one that this version does not have."""
    lease = classified.lease
    answer: InferenceAnswer = {"model_name": lease.task, "model_version": str(lease.version), "outputs": []}
    if asked.id:
        answer = {"id": asked.id, **answer}
    behind: list[bytes] = []
    for output in asked.outputs:
        datatype, values = _output(classified, output.name, output.parameters.classification)
        tensor: OutputTensor = {"name": output.name, "datatype": datatype, "shape": list(values.shape)}
        if asked.binary if output.parameters.binary_data is None else output.parameters.binary_data:
            behind.append(_binary(datatype, values))
            tensor["parameters"] = {"binary_data_size": len(behind[-1])}
        else:
            tensor["data"] = values.ravel().tolist()
        answer["outputs"].append(tensor)
    content = to_json(answer)
    if not behind:
        return Response(content, media_type="application/json")
    headers = {HEADER_LENGTH: str(len(content))}
    return Response(b"".join([content, *behind]), headers=headers, media_type="application/octet-stream")


def _output(classified: Classified, name: str, classes: int) -> Values:
    return _OUTPUTS[name](classified) if not classes else ("BYTES", _classification(classified, classes))


def _probabilities(classified: Classified) -> Values:
    return "FP32", np.stack(classified.rows)


def _labels(classified: Classified) -> Values:
    labels = classified.lease.config.classes
    return "BYTES", _texts([labels[int(row.argmax())] for row in classified.rows])


def _accepted(classified: Classified) -> Values:
    lease = classified.lease
    verdicts = [lease.verdict(int(row.argmax()), float(row.max())) for row in classified.rows]
    if None in verdicts:
        raise BadBody(f"version {lease.version} has no thresholds, and so no output {ACCEPTED!r}")
    return "BOOL", np.array([verdict == "accepted" for verdict in verdicts])


_OUTPUTS: dict[str, Callable[[Classified], Values]] = {
    PROBABILITIES: _probabilities,
    LABEL: _labels,
    ACCEPTED: _accepted,
}


def _classification(classified: Classified, classes: int) -> NDArray[Any]:
    """[B, k] texts, `probability:index:label` as Triton writes them; ties go to the lower index."""
    labels = classified.lease.config.classes
    rows = [
        [f"{row[index]:.6f}:{index}:{labels[index]}" for index in np.argsort(-row, kind="stable")[:classes]]
        for row in classified.rows
    ]
    return _texts([text for row in rows for text in row]).reshape(len(rows), -1)


def _texts(texts: Sequence[str]) -> NDArray[Any]:
    return np.array(texts, dtype=object)


def _binary(datatype: str, values: NDArray[Any]) -> bytes:
    if datatype == "BYTES":
        return b"".join(len(text).to_bytes(4, "little") + text for text in (v.encode() for v in values.flat))
    return values.astype("<f4" if datatype == "FP32" else "?").tobytes()
