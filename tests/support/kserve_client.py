"""Asks a server with KServe's REST client; run by a Python that has `kserve`, and has none of this project.

python kserve_client.py http://127.0.0.1:8000 picture.jpg …
"""

import asyncio
import base64
import json
import sys
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

MODEL = "flowers"


async def told(url: str, pictures: list[bytes]) -> dict[str, Any]:
    """What the client makes of the server's answers, as JSON may have it."""
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    text = InferInput(
        "image", [len(pictures)], "BYTES", data=[base64.b64encode(each).decode() for each in pictures]
    )
    binary = InferInput("image", [len(pictures)], "BYTES")
    binary.set_data_from_numpy(np.array(pictures, dtype=object), binary_data=True)
    found: dict[str, Any] = {
        "live": await client.is_server_live(url),
        "ready": await client.is_server_ready(url),
        "model": await client.is_model_ready(url, MODEL),
        "none": await client.is_model_ready(url, "none"),
    }
    for name, given, parameters in (
        ("text", text, {}),
        ("binary", binary, {}),
        ("both", binary, {"binary_data_output": True}),
    ):
        request = InferRequest(MODEL, [given], request_id=name, parameters=parameters)
        answer = await client.infer(url, request, model_name=MODEL)
        found[name] = [answer.id, answer.outputs[0].as_numpy().tolist()]
    wanted = [RequestedOutput("label"), RequestedOutput("probabilities", parameters={"classification": 1})]
    request = InferRequest(MODEL, [text], request_outputs=wanted)
    answer = await client.infer(url, request, model_name=MODEL)
    found["label"], found["classification"] = [each.data for each in answer.outputs]
    try:
        await client.infer(url, InferRequest("none", [text]), model_name="none")
    except httpx.HTTPStatusError as error:
        found["error"] = str(error)
    return found


if __name__ == "__main__":
    sent = [Path(name).read_bytes() for name in sys.argv[2:]]
    sys.stdout.write(json.dumps(asyncio.run(told(sys.argv[1], sent))))
