import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

import service.http
from service.http.guard import allow_all
from service.http.routes.page import add_page_routes

pytestmark = pytest.mark.anyio
FOLDER = Path(service.http.__file__).parent / "page"
FILES = {file.name: file.read_text() for file in sorted(FOLDER.iterdir())}
LINK = re.compile(r'(?:src|href)="([^"#]+)"|from "([^"]+)"|url: "([^"]+)"')
ELSEWHERE = re.compile(r"https?://(?!www\.w3\.org/)")


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None)
    add_page_routes(app, allow_all)
    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/docs", "/static/page.js", "/static/swagger-ui-bundle.js"])
async def test_each_answer_forbids_what_is_inline_or_from_elsewhere(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path)

    policy = dict(each.split(" ", 1) for each in answer.headers["content-security-policy"].split("; "))
    assert answer.status_code == 200
    assert policy["default-src"] == "'self'"
    assert not {"script-src", "style-src", "connect-src"} & policy.keys()  # the default holds for them
    assert policy["img-src"] == "'self' blob: data:"
    assert "unsafe" not in answer.headers["content-security-policy"]


async def test_a_file_that_is_known_is_not_sent_again(client: httpx.AsyncClient) -> None:
    first = await client.get("/static/page.css")
    again = await client.get("/static/page.css", headers={"If-None-Match": first.headers["etag"]})

    assert first.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "file", ["none.js", "..%2f__init__.py", "..%2froutes%2fpage.py", "%2fetc%2fpasswd", "%2e%2e", "%00", ""]
)
async def test_nothing_else_is_shown(client: httpx.AsyncClient, file: str) -> None:
    assert (await client.get(f"/static/{file}")).status_code == 404


async def test_the_head_of_a_page_is_told_and_openapi_has_none_of_them(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    head = await client.head("/")

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == "text/html; charset=utf-8"
    assert app.openapi()["paths"] == {}


@pytest.mark.parametrize(("file", "text"), FILES.items(), ids=FILES)
async def test_every_link_of_the_page_is_relative_and_leads_somewhere(
    client: httpx.AsyncClient, file: str, text: str
) -> None:
    assert not ELSEWHERE.search(text)
    for link in (next(filter(None, found)) for found in LINK.findall(text)):
        if link == "openapi.json":
            continue
        path = link.replace("./", "/static/") if file.endswith(".js") else f"/{link}"
        assert not link.startswith("/")
        assert (await client.get(path)).status_code == 200, link


def test_no_script_and_no_style_stands_in_a_document() -> None:
    for name, text in FILES.items():
        if name.endswith(".html"):
            assert not re.search(r"<style|<script(?![^>]* src=)| style=| on[a-z]+=", text)


def test_text_of_others_is_never_read_as_html() -> None:
    ways = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b")
    assert not [name for name, text in FILES.items() if ways.search(text)]
