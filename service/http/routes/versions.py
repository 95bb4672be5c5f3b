"""Versions of a task: published, looked at, verified and deleted over HTTP."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.responses import JSONResponse

from adapters import errors as domain
from adapters.store.store import Published, Store
from service import errors
from service.access.scope import Scope
from service.http.guard import Guard
from service.http.key_guard import require_still
from service.http.model_json import ModelJSONResponse
from service.http.openapi import (
    GONE,
    PUBLISH_BODY,
    PUBLISH_PARAMETERS,
    TASK_PARAMETER,
    VERSION_PARAMETER,
    flag_parameter,
    problem_responses,
)
from service.http.request.artifact_body import check_media_type, read_artifact
from service.http.request.chunks import chunks
from service.http.request.management_query import (
    PublishQuery,
    no_query,
    parse_flag,
    parse_publish,
    version_of,
)
from service.http.request_log import note_of
from service.http.routes.lean import add_route
from service.http.uploads import Uploads
from service.http.wire import PublishedVersion, VerifiedVersion, VersionPage
from service.residents.store_work import StoreWork

README = "README.md"
STORE_ERRORS = (errors.StoreSlow, domain.StoreError, errors.Starting, errors.Draining)
FIND_ERRORS = (
    errors.BadQuery,
    domain.InvalidName,
    domain.TaskNotFound,
    domain.VersionNotFound,
    *STORE_ERRORS,
)
ARTIFACT_ERRORS = (
    domain.ArtifactDamaged,
    domain.ArtifactFormat,
    domain.ArtifactUnsigned,
    domain.BackboneMismatch,
)
PUBLISH_ERRORS = (
    errors.BadQuery,
    errors.BadBody,
    domain.InvalidName,
    errors.UploadTooSlow,
    domain.ClassesDiffer,
    domain.StoreReadOnly,
    errors.UploadConflict,
    domain.ArtifactTooLarge,
    errors.UnreadMediaType,
    *ARTIFACT_ERRORS,
    errors.Overloaded,
    *STORE_ERRORS,
)


@dataclass(frozen=True)
class VersionEndpoints:
    """What is done with versions; `silence_ms`: how long a body may pause."""

    work: StoreWork
    uploads: Uploads
    silence_ms: int

    async def publish_version(self, request: Request) -> Response:
        """Publish an adapter, from the body or from an upload that is complete, and move a label to it.

        The body is a tar archive of the artifact's files, plain or by gzip, or multipart with a part called
        `files` for each. Asked for the same twice it makes one version.
        """
        task, query = request.path_params["task"], parse_publish(request.scope["query_string"])
        self.work.require_admitting()
        if query.upload is not None:
            published, digest = await self.work.change(
                task, partial(_publish_upload, task=task, query=query, uploads=self.uploads)
            )
        else:
            published, digest = await self._publish_body(request, task, query)
        note_of(request.scope).facts |= {"version": published.version, "digest": digest, "label": query.label}
        answer: PublishedVersion = {
            "task": task,
            "version": published.version,
            "digest": digest,
            "label": query.label,
            "existed": published.existed,
        }
        headers = {"Location": f"versions/{published.version}"}
        return JSONResponse(answer, 200 if published.existed else 201, headers)

    async def show_version(self, request: Request) -> Response:
        """One version as the store has it: its configuration, its card, who signed it."""
        no_query(request.scope["query_string"])
        task, version = request.path_params["task"], version_of(request.path_params["version"])
        return ModelJSONResponse(await self.work.read(task, partial(_page, task=task, version=version)))

    async def verify_version(self, request: Request) -> Response:
        """Read every byte of a version again, with every check that loading makes, and its signature."""
        no_query(request.scope["query_string"])
        task, version = request.path_params["task"], version_of(request.path_params["version"])
        return ModelJSONResponse(await self.work.read(task, partial(_verified, task=task, version=version)))

    async def delete_version(self, request: Request) -> Response:
        """Delete a version for good; with `force` also one that has labels, which go with it."""
        force = parse_flag(request.scope["query_string"], "force")
        task, version = request.path_params["task"], version_of(request.path_params["version"])
        note_of(request.scope).facts["force"] = force
        await self.work.change(task, lambda store: store.delete_version(task, version, force=force))
        return Response(status_code=204)

    async def _publish_body(self, request: Request, task: str, query: PublishQuery) -> tuple[Published, str]:
        content_type = request.headers.get("content-type", "")
        check_media_type(content_type, request.headers.get("content-encoding", ""))
        declared = request.headers.get("content-length")
        async with self.uploads.body(chunks(request, self.silence_ms), int(declared or 0)) as file:
            await require_still(request.scope)

            def publish(store: Store) -> tuple[Published, str]:
                return _publish(store, task, query, read_artifact(file, content_type, self.uploads.max_bytes))

            return await self.work.change(task, publish)


def add_version_routes(
    app: FastAPI, guard: Guard, work: StoreWork, uploads: Uploads, silence_ms: int
) -> None:
    """Add `/v1/tasks/{task}/versions` and what is below it."""
    versions = VersionEndpoints(work, uploads, silence_ms)
    one = "/v1/tasks/{task}/versions/{version}"
    parameters: list[dict[str, Any]] = [TASK_PARAMETER, VERSION_PARAMETER]
    add_route(
        app, guard, "POST", "/v1/tasks/{task}/versions", versions.publish_version,
        needs=Scope.ADMIN,
        response_model=PublishedVersion,
        responses=problem_responses(*PUBLISH_ERRORS)
        | {201: {"model": PublishedVersion, "description": "a new version"}},
        openapi_extra={**PUBLISH_BODY, "parameters": [TASK_PARAMETER, *PUBLISH_PARAMETERS]},
        tags=["versions"],
    )  # fmt: skip
    add_route(
        app, guard, "GET", one, versions.show_version,
        needs=Scope.CLASSIFY,
        response_model=VersionPage,
        responses=problem_responses(*FIND_ERRORS, domain.ArtifactDamaged, domain.ArtifactFormat),
        openapi_extra={"parameters": parameters},
        tags=["versions"],
    )  # fmt: skip
    add_route(
        app, guard, "POST", f"{one}/verify", versions.verify_version,
        needs=Scope.ADMIN,
        response_model=VerifiedVersion,
        responses=problem_responses(*FIND_ERRORS, *ARTIFACT_ERRORS),
        openapi_extra={"parameters": parameters},
        tags=["versions"],
    )  # fmt: skip
    add_route(
        app, guard, "DELETE", one, versions.delete_version,
        needs=Scope.ADMIN,
        responses=problem_responses(*FIND_ERRORS, domain.StoreConflict, domain.StoreReadOnly) | GONE,
        openapi_extra={"parameters": [*parameters, flag_parameter("force", "labels go with it")]},
        tags=["versions"],
    )  # fmt: skip


def _publish_upload(store: Store, task: str, query: PublishQuery, uploads: Uploads) -> tuple[Published, str]:
    with uploads.opened(task, query.upload or "") as file:
        return _publish(store, task, query, read_artifact(file, "", uploads.max_bytes))


def _publish(store: Store, task: str, query: PublishQuery, files: dict[str, bytes]) -> tuple[Published, str]:
    published = store.publish_files(task, files, label=query.label, replace_classes=query.replace_classes)
    return published, store.config(task, published.version).tensors_sha256


def _page(store: Store, task: str, version: int) -> VersionPage:
    config = store.config(task, version)
    card = store.card(task, version)
    labels = store.task(task).labels
    text = card.get(README)
    return {
        "task": task,
        "version": version,
        "digest": config.tensors_sha256,
        "labels": sorted(label for label, named in labels.items() if named == version),
        "signature": store.signature(task, version),
        "metrics": config.provenance.get("metrics"),
        "config": config.model_dump(mode="json"),
        "card": {
            "text": None if text is None else text.decode(errors="replace"),
            "pictures": sorted(card.keys() - {README}),
        },
    }


def _verified(store: Store, task: str, version: int) -> VerifiedVersion:
    config = store.load(task, version).config
    return {
        "task": task,
        "version": version,
        "ok": True,
        "digest": config.tensors_sha256,
        "signature": store.signature(task, version),
    }
