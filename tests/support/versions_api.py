"""The routes that change versions and labels, answered by a test where the service does not have them yet.

They work on the real store, and answer once the service has seen the change.
"""

import io
import json
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from adapters.errors import DvptError
from adapters.store.artifact import decode_artifact
from adapters.store.store import Store
from service.http.problems import problem_of
from tests.support.waiting import wait_until

ROUTE = re.compile(r"/v1/tasks/([^/?]+)/(versions|labels/[^/?]+(?:/rollback)?)(?:\?|$)")


@dataclass(frozen=True)
class VersionsApi:
    """Publish, read and set a label, roll back: with `key`, and with no other."""

    store: Store
    key: str

    def answer_where_missing(self, page: Any, url: str) -> None:
        """Answer a page's requests of those routes, if the service at `url` does not."""
        paths = httpx.get(f"{url}/openapi.json").json()["paths"]
        if not any(path.endswith("/labels/{label}") for path in paths):
            page.route(ROUTE, lambda route: self._answer(route, url))

    def _answer(self, route: Any, url: str) -> None:
        request, headers = route.request, {"X-API-Key": self.key}
        if request.headers.get("authorization") != f"Bearer {self.key}":
            problem = {"code": "not_allowed", "title": "", "detail": "the key 'acme' has not the scope admin"}
            route.fulfill(status=403, body=json.dumps(problem), content_type="application/problem+json")
            return
        found = ROUTE.search(request.url)
        assert found
        task, (kind, *rest) = found[1], found[2].split("/")
        try:
            told = self._publish(task, request) if kind == "versions" else self._label(task, rest, request)
        except DvptError as error:
            problem, status = {"code": "x", "title": "", "detail": str(error)}, problem_of(error).status
            route.fulfill(status=status, body=json.dumps(problem), content_type="application/problem+json")
            return

        def seen() -> bool:
            answer = httpx.get(f"{url}/v1/tasks/{task}", headers=headers).json()
            return bool(answer.get("labels") == dict(self.store.task(task).labels))

        wait_until(seen, "the service to see the change")
        route.fulfill(json=told, headers={"ETag": f'"{told["version"]}"'})

    def _publish(self, task: str, request: Any) -> Mapping[str, Any]:
        files: dict[str, bytes] = {}
        try:
            with tarfile.open(fileobj=io.BytesIO(request.post_data_buffer)) as tar:
                files = {each.name: tar.extractfile(each).read() for each in tar}  # type: ignore[union-attr]
        except tarfile.TarError:
            pass
        artifact = decode_artifact(files, self.store.backbone)
        version = self.store.publish(task, artifact)
        return {"task": task, "version": version, "label": "stable", "existed": False}

    def _label(self, task: str, rest: list[str], request: Any) -> Mapping[str, Any]:
        label = rest[0]
        if request.method == "PUT":
            there = label in self.store.task(task).labels
            assert ("if-match" in request.headers) is there
            assert ("if-none-match" in request.headers) is not there
            self.store.set_label(task, label, request.post_data_json["version"])
        elif request.method == "POST":
            self.store.rollback(task, label)
        return {"label": label, "version": self.store.task(task).labels[label]}
