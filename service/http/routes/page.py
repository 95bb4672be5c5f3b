"""The page of the service, its documentation for a browser, and the files of both."""

from fastapi import FastAPI, Request, Response
from starlette.staticfiles import StaticFiles

from service.http.guard import Guard
from service.http.routes.lean import add_route

# Nothing from elsewhere, nothing inline. Previews of pictures are blobs; Swagger UI's icons are `data:`.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' blob: data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}


def add_page_routes(app: FastAPI, guard: Guard) -> None:
    """Add `/`, `/docs` and `/static/{file}`, open to all: what they show is asked for with the reader's key.

    All links in them are relative, so that a proxy's prefix stays.
    """
    files = StaticFiles(packages=[("service.http", "page"), ("fastapi_offline", "static")])

    async def answer(request: Request, file: str) -> Response:
        response = await files.get_response(file, request.scope)
        response.headers.update(HEADERS)
        return response

    async def page(request: Request) -> Response:
        """The page."""
        return await answer(request, "index.html")

    async def docs(request: Request) -> Response:
        """Swagger UI over the OpenAPI document."""
        return await answer(request, "docs.html")

    async def static(request: Request) -> Response:
        """A file of either. Raises HTTPException 404."""
        return await answer(request, request.path_params["file"])

    for path, endpoint in (("/", page), ("/docs", docs), ("/static/{file}", static)):
        add_route(app, guard, "GET", path, endpoint, needs=None, include_in_schema=False)
