import httpx
import pytest
from fastapi import FastAPI

from service.http.guard import allow_all
from service.http.routes.home import add_home_route

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_root_leads_to_the_documentation(method: str) -> None:
    app = FastAPI()
    add_home_route(app, allow_all)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test/") as client:
        answer = await client.request(method, "/")
        led = await client.request(method, "/", follow_redirects=True)

    assert (answer.status_code, answer.headers["location"], answer.content) == (307, "docs", b"")
    assert led.url.path == "/docs"
    assert "/" not in app.openapi()["paths"]
