"""What the document says of keys, and that it is whole."""

import json
import re
from typing import Any, cast

from fastapi import FastAPI, Request, Response

from adapters.store.store import Store
from service.access.scope import Scope
from service.app import create_service
from service.http.guard import allow_all
from service.http.openapi import complete_openapi
from service.http.routes.lean import add_route
from service.settings import settings_from


async def run(_: Request) -> Response:
    return Response()


def operations(*, with_keys: bool) -> dict[str, dict[str, object]]:
    app = FastAPI()
    add_route(app, allow_all, "GET", "/open", run, needs=None)
    add_route(app, allow_all, "PUT", "/closed", run, needs=Scope.ADMIN)
    complete_openapi(app, with_keys=with_keys)
    return {path: methods[method] for path, methods in app.openapi()["paths"].items() for method in methods}


def test_a_route_with_a_scope_says_so_and_what_is_refused() -> None:
    with_keys = operations(with_keys=True)
    assert with_keys["/closed"]["security"] == [{"bearer": ["admin"]}, {"header": ["admin"]}]
    assert {"401", "403"} <= set(with_keys["/closed"]["responses"])  # type: ignore[call-overload]
    assert with_keys["/open"]["security"] == []
    assert "401" not in str(with_keys["/open"])


def test_without_keys_nothing_asks_for_one() -> None:
    for operation in operations(with_keys=False).values():
        assert "security" not in operation
        assert "401" not in str(operation)


def test_whatever_the_document_refers_to_is_in_it_however_often_it_is_asked(store: Store) -> None:
    engine = cast("Any", type("Engine", (), {"stage": lambda image: image}))
    settings = settings_from({"store": store.url, "device": "cpu"})
    app = create_service(settings, store, lambda *_: engine).app
    for _ in range(2):
        document = app.openapi()
        named = set(re.findall(r'"\$ref": "([^"]*)"', json.dumps(document)))
        assert "#/components/schemas/PromoteRule" in named
        assert not named - {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
        assert "$defs" not in json.dumps(document)
