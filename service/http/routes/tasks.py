"""Classify, and what tasks there are."""

import json
from typing import Any

from fastapi import FastAPI, Request, Response

from adapters import errors as domain
from service import errors
from service.http.classifier import Classifier
from service.http.describe import detail, summarize
from service.http.routes.lean import add_route
from service.http.wire import (
    CLASSIFY_BODY,
    CLASSIFY_PARAMETERS,
    ClassifyAnswer,
    TaskDetail,
    TaskList,
    problem_responses,
)
from service.residents.registry import Registry

JSON = "application/json"
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
    errors.InferenceFailed,
    errors.OutputNotFinite,
    errors.OutOfDeviceMemory,
    errors.DeviceLost,
    errors.DeadlineExceeded,
)


def add_task_routes(app: FastAPI, classifier: Classifier, registry: Registry) -> None:
    """Add `/v1/tasks` and what is below it."""

    async def classify(request: Request) -> Response:
        """Classify one or many pictures with a task's `stable` version, or another one.

        Send one picture as the body, one or many as multipart `images`, or JSON with base64.
        """
        return Response(await classifier.answer(request.path_params["task"], request), media_type=JSON)

    async def list_tasks(_: Request) -> Response:
        """Every task the service knows, with its versions and labels."""
        return _json({"tasks": [summarize(registry.states[task]) for task in sorted(registry.states)]})

    async def show_task(request: Request) -> Response:
        """One task: what answers for it, its classes, and versions that were refused, with the reason."""
        return _json(detail(registry.state(request.path_params["task"])))

    add_route(
        app,
        "POST",
        "/v1/tasks/{task}/classify",
        classify,
        response_model=ClassifyAnswer,
        responses=problem_responses(*CLASSIFY_ERRORS),
        openapi_extra={**CLASSIFY_BODY, "parameters": CLASSIFY_PARAMETERS},
        tags=["tasks"],
    )
    add_route(app, "GET", "/v1/tasks", list_tasks, response_model=TaskList, tags=["tasks"])
    add_route(
        app,
        "GET",
        "/v1/tasks/{task}",
        show_task,
        response_model=TaskDetail,
        responses=problem_responses(domain.TaskNotFound),
        openapi_extra={"parameters": CLASSIFY_PARAMETERS[:1]},
        tags=["tasks"],
    )


def _json(content: dict[str, Any]) -> Response:
    return Response(json.dumps(content, ensure_ascii=False), media_type=JSON)
