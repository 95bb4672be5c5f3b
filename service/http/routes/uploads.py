"""Uploads in parts, which go on where a connection ended."""

import re

from fastapi import FastAPI, Request, Response
from starlette.responses import JSONResponse

from adapters import errors as domain
from adapters.store.names import check_task_name
from service import errors
from service.access.scope import Scope
from service.http.guard import Guard
from service.http.key_guard import require_still
from service.http.openapi import TASK_PARAMETER, UPLOAD_BODY, UPLOAD_PARAMETER, problem_responses
from service.http.request.chunks import chunks
from service.http.request.management_query import no_query, sha256_of
from service.http.routes.lean import add_route
from service.http.uploads import Part, Uploads
from service.http.wire import UploadState
from service.residents.store_work import StoreWork

CONTENT_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})")
OFFSET = "Upload-Offset"


def add_upload_routes(app: FastAPI, guard: Guard, work: StoreWork, uploads: Uploads, silence_ms: int) -> None:
    """Add `/v1/tasks/{task}/uploads/{sha256}`."""

    async def upload_part(request: Request) -> Response:
        """Bring the next part of an archive (`Content-Range: bytes a-b/total`), or all of it.

        The upload is named by the SHA-256 of the whole; what arrived of a part that was cut off stays for
        an hour. Publish it with `POST /v1/tasks/{task}/versions?upload={sha256}`.
        """
        task, sha256 = _named(request)
        work.require_admitting()
        part = _part(request)
        offset = await uploads.append(task, sha256, part, chunks(request, silence_ms))
        await require_still(request.scope)
        return _state(sha256, offset)

    async def show_upload(request: Request) -> Response:
        """How many bytes of an upload are there, also in the header `Upload-Offset`."""
        task, sha256 = _named(request)
        return _state(sha256, await uploads.offset(task, sha256))

    for method, endpoint, kinds in (
        (
            "PUT",
            upload_part,
            (
                errors.BadBody,
                errors.UploadTooSlow,
                errors.UploadConflict,
                domain.ArtifactTooLarge,
                domain.ArtifactDamaged,
                errors.Overloaded,
                errors.Starting,
                errors.Draining,
            ),
        ),
        ("GET", show_upload, (errors.Overloaded,)),
    ):
        body = UPLOAD_BODY if method == "PUT" else {}
        add_route(
            app,
            guard,
            method,
            "/v1/tasks/{task}/uploads/{sha256}",
            endpoint,
            needs=Scope.ADMIN,
            response_model=UploadState,
            responses=problem_responses(errors.BadQuery, domain.InvalidName, *kinds),
            openapi_extra={**body, "parameters": [TASK_PARAMETER, UPLOAD_PARAMETER]},
            tags=["versions"],
        )


def _named(request: Request) -> tuple[str, str]:
    no_query(request.scope["query_string"])
    return check_task_name(request.path_params["task"]), sha256_of(request.path_params["sha256"])


def _part(request: Request) -> Part:
    given, declared = request.headers.get("content-range"), request.headers.get("content-length")
    if given is None:
        length = None if declared is None else int(declared)
        return Part(0, length, length)
    found = CONTENT_RANGE.fullmatch(given.strip())
    if found is None or int(found[2]) < int(found[1]):
        raise errors.BadBody(f"Content-Range is {given!r:.80}; expected bytes FIRST-LAST/TOTAL")
    first, last, total = int(found[1]), int(found[2]), int(found[3])
    if last >= total:
        raise errors.BadBody(f"Content-Range names the byte {last} of {total}")
    return Part(first, last - first + 1, total)


def _state(sha256: str, offset: int) -> Response:
    state: UploadState = {"upload": sha256, "offset": offset}
    return JSONResponse(state, headers={OFFSET: str(offset)})
