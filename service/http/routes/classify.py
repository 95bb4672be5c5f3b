"""Classify over HTTP, version 1: the body in its three forms, and the answer as JSON."""

from fastapi import FastAPI, Request, Response
from starlette.responses import JSONResponse

from adapters import errors as domain
from service import errors
from service.access.scope import Scope
from service.http.answers import classify_answer
from service.http.classifier import Classifier
from service.http.connection import CancelOnDisconnect
from service.http.guard import Guard
from service.http.openapi import CLASSIFY_BODY, CLASSIFY_PARAMETERS, REQUEST_KEY, problem_responses
from service.http.request.bodies import Body
from service.http.request.body_reader import BodyReader
from service.http.request.query import parse_query
from service.http.request.request_key import request_key
from service.http.request_log import asked_by
from service.http.request_metrics import RequestMetrics
from service.http.routes.lean import add_route
from service.http.wire import ClassifyAnswer

CLASSIFY_ERRORS = (
    errors.BadQuery,
    errors.BadBody,
    errors.NoPicture,
    domain.TaskNotFound,
    domain.VersionNotFound,
    domain.LabelNotFound,
    errors.UploadTooSlow,
    errors.RequestTooLarge,
    domain.PictureTooLarge,
    errors.UnreadMediaType,
    domain.PictureFormat,
    domain.PictureDamaged,
    errors.Overloaded,
    errors.Starting,
    errors.Draining,
    errors.AdapterUnavailable,
    errors.AdapterLoading,
    errors.InferenceFailed,
    errors.OutputNotFinite,
    errors.OutOfDeviceMemory,
    errors.DeviceLost,
    errors.DeadlineExceeded,
)


def add_classify_route(
    app: FastAPI, guard: Guard, classifier: Classifier, requests: RequestMetrics, bodies: BodyReader
) -> None:
    """Add `/v1/tasks/{task}/classify`."""

    async def classify(request: Request) -> Response:
        """Classify one or many pictures with a task's `stable` version, or another one.

        Send one picture as the body, one or many as multipart `images`, or JSON with base64.
        """
        task = request.path_params["task"]
        with requests.measured(task):
            limits = bodies.limits
            query = parse_query(
                request.scope["query_string"], limits.default_timeout_ms, limits.max_timeout_ms
            )
            async with CancelOnDisconnect(request.receive) as client:

                async def read() -> Body:
                    body = await bodies.read(request, task)
                    client.listen()
                    return body

                classified = await classifier.classify(
                    task, query, read, asked_by(request.scope), request_key(request.scope)
                )
            return JSONResponse(classify_answer(classified, query.top_k, abstain=query.abstain))

    add_route(
        app,
        guard,
        "POST",
        "/v1/tasks/{task}/classify",
        classify,
        needs=Scope.CLASSIFY,
        response_model=ClassifyAnswer,
        responses=problem_responses(*CLASSIFY_ERRORS),
        openapi_extra={**CLASSIFY_BODY, "parameters": [*CLASSIFY_PARAMETERS, REQUEST_KEY]},
        tags=["tasks"],
    )
