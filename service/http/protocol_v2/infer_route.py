"""Infer: classify over the Open Inference Protocol."""

from enum import Enum
from typing import Any

from fastapi import FastAPI, Request, Response

from adapters.config import BackboneConfig
from service.access.scope import Scope
from service.http.classifier import Classifier, ClassifyQuery
from service.http.connection import CancelOnDisconnect
from service.http.guard import Guard
from service.http.protocol_v2.inference_answer import inference_response
from service.http.protocol_v2.model import version_asked
from service.http.protocol_v2.upload import InferenceUpload, read_inference
from service.http.protocol_v2.wire import InferenceAnswer, ProtocolError
from service.http.request.body_reader import BodyReader
from service.http.request.request_key import request_key
from service.http.request_log import asked_by
from service.http.request_metrics import RequestMetrics
from service.http.routes.lean import add_route

TAGS: list[str | Enum] = ["open inference protocol"]
INFER_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object", "required": ["inputs"]}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
TASK: dict[str, Any] = {"name": "task", "in": "path", "required": True, "schema": {"type": "string"}}
VERSION: dict[str, Any] = {
    "name": "version",
    "in": "path",
    "required": True,
    "description": "a version, or a label",
    "schema": {"type": "string"},
}
ERRORS: dict[int | str, dict[str, Any]] = {
    "default": {"model": ProtocolError, "description": "what is wrong"}
}
MODEL, VERSION_OF_MODEL = "/v2/models/{task}", "/v2/models/{task}/versions/{version}"
ANY_VERSION = ((MODEL, [TASK]), (VERSION_OF_MODEL, [TASK, VERSION]))


def add_infer_routes(
    app: FastAPI,
    guard: Guard,
    classifier: Classifier,
    requests: RequestMetrics,
    bodies: BodyReader,
    backbone: BackboneConfig,
) -> None:
    """Add `/v2/models/{task}[/versions/{version}]/infer`."""

    async def infer(request: Request) -> Response:
        """Classify one or many pictures: encoded, as pixels, or as the backbone takes them."""
        task = request.path_params["task"]
        with requests.measured(task):
            version, label = version_asked(request.path_params)
            query = ClassifyQuery(version, label, bodies.limits.default_timeout_ms)
            upload: InferenceUpload | None = None
            async with CancelOnDisconnect(request.receive) as client:

                async def read() -> InferenceUpload:
                    nonlocal upload
                    upload = await read_inference(bodies, request, task, backbone)
                    client.listen()
                    return upload

                classified = await classifier.classify(
                    task, query, read, asked_by(request.scope), request_key(request.scope)
                )
            assert upload is not None  # noqa: S101 - `classify` has awaited it
            return inference_response(classified, upload.asked)

    for path, parameters in ANY_VERSION:
        add_route(
            app,
            guard,
            "POST",
            f"{path}/infer",
            infer,
            needs=Scope.CLASSIFY,
            response_model=InferenceAnswer,
            responses=ERRORS,
            openapi_extra={**INFER_BODY, "parameters": parameters},
            tags=TAGS,
        )
