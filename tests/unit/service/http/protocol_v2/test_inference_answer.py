"""The outputs that were asked for, as JSON and in binary."""

import json
import struct
from typing import Any

import numpy as np
import pytest
from starlette.responses import Response

from adapters.kinds.acceptance import Acceptance
from adapters.kinds.layout import HeadShape, Layout, Slot
from adapters.kinds.linear.options import LinearOptions
from service.errors import BadBody
from service.http.classifier import Classified, Timing
from service.http.protocol_v2.inference_answer import inference_response
from service.http.protocol_v2.inference_request import AskedFor, OutputParameters, RequestedOutput
from service.residents.lease import Lease
from tests.support.artifacts import MakeArtifact

ROWS = [np.array(row, np.float32) for row in ([0.25, 0.5, 0.25], [0.125, 0.125, 0.75])]
ACCEPTANCE = Acceptance(
    thresholds=(0.5, 0.6, 0.7),
    none_below=0.1,
    precision=0.9,
    pictures=10,
    accepted=0.5,
    accepted_precision=1.0,
    false_alarms=0.0,
)


@pytest.fixture
def classified(make_artifact: MakeArtifact) -> Classified:
    config = make_artifact(class_count=3).config.model_copy(
        update={"classes": ("a", "b:c", "ü"), "acceptance": ACCEPTANCE}
    )
    lease = Lease("pets", 7, config, Slot(Layout(LinearOptions()), 1, HeadShape(1, 16), 1, 3))
    return Classified(lease, ROWS, Timing(0.0, 0.0, 0.0))


def output(name: str, **parameters: Any) -> RequestedOutput:
    return RequestedOutput(name=name, parameters=OutputParameters(**parameters))


def answered(
    classified: Classified, *outputs: RequestedOutput, binary: bool = False, identity: str | None = None
) -> tuple[dict[str, Any], bytes]:
    """The JSON of an answer and what stands behind it."""
    response: Response = inference_response(classified, AskedFor(identity, outputs, binary, None))
    at = response.headers.get("inference-header-content-length")
    content = bytes(response.body)
    kind = "application/json" if at is None else "application/octet-stream"
    assert response.headers["content-type"] == kind
    length = len(content) if at is None else int(at)
    return json.loads(content[:length]), content[length:]


def test_numbers_and_texts_in_json(classified: Classified) -> None:
    told, behind = answered(
        classified, output("probabilities"), output("label"), output("accepted"), identity="7"
    )
    assert told == {
        "id": "7",
        "model_name": "pets",
        "model_version": "7",
        "outputs": [
            {
                "name": "probabilities",
                "datatype": "FP32",
                "shape": [2, 3],
                "data": [0.25, 0.5, 0.25, 0.125, 0.125, 0.75],
            },
            {"name": "label", "datatype": "BYTES", "shape": [2], "data": ["b:c", "ü"]},
            {"name": "accepted", "datatype": "BOOL", "shape": [2], "data": [False, True]},
        ],
    }
    assert behind == b""


def test_in_binary_they_stand_behind_the_json_in_their_order(classified: Classified) -> None:
    names = ("label", "accepted", "probabilities")
    told, behind = answered(classified, *map(output, names), binary=True)
    label, numbers = b"\3\0\0\0b:c\2\0\0\0\xc3\xbc", struct.pack("<6f", *np.concatenate(ROWS))
    assert behind == label + b"\0\1" + numbers
    sizes = [each["parameters"]["binary_data_size"] for each in told["outputs"]]
    assert sizes == [len(label), 2, len(numbers)]
    assert all("data" not in each for each in told["outputs"])


def test_each_output_may_say_for_itself(classified: Classified) -> None:
    told, behind = answered(classified, output("label", binary_data=False), output("accepted"), binary=True)
    assert [("data" in each) for each in told["outputs"]] == [True, False]
    assert behind == b"\0\1"


@pytest.mark.parametrize("classes", [2, 3, 100])
def test_classification_tells_the_likeliest_as_text(classified: Classified, classes: int) -> None:
    told, _ = answered(classified, output("probabilities", classification=classes))
    every = [
        ["0.500000:1:b:c", "0.250000:0:a", "0.250000:2:ü"],
        ["0.750000:2:ü", "0.125000:0:a", "0.125000:1:b:c"],
    ]
    [tensor] = told["outputs"]
    assert (tensor["datatype"], tensor["shape"]) == ("BYTES", [2, min(classes, 3)])
    assert tensor["data"] == [text for row in every for text in row[:classes]]


def test_a_version_without_thresholds_accepts_nothing(classified: Classified) -> None:
    plain = classified.lease.config.model_copy(update={"acceptance": None})
    lease = Lease("pets", 7, plain, classified.lease.slot)
    without = Classified(lease, ROWS, Timing(0.0, 0.0, 0.0))
    with pytest.raises(BadBody, match="version 7 has no thresholds"):
        answered(without, output("accepted"))
