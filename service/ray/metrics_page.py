"""`GET /metrics` behind Ray's proxy, which asks any one replica: it answers for all of them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATH = "/metrics"
REPLICA = "replica"
Pages = Callable[[], Awaitable[Mapping[str, str]]]
"""The metrics of each running replica by its id, as Prometheus's text."""


class MetricsOfAll:
    """ASGI: whoever may have one replica's metrics gets those of all, by the label `replica`."""

    def __init__(self, app: ASGIApp, pages: Pages) -> None:
        self._app = app
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or not scope["path"].endswith(PATH):
            await self._app(scope, receive, send)
            return
        own: list[Message] = []

        async def keep(message: Message) -> None:
            own.append(message)

        await self._app(scope, receive, keep)
        if not _is_metrics(own[0]):  # a task of that name, say, or a refusal
            for message in own:
                await send(message)
            return
        encode, content_type = choose_encoder(Headers(scope=scope).get("accept", ""))
        pages = await self._pages()
        page = await asyncio.to_thread(lambda: encode(Families(families_of_all(pages))))
        response = Response(page, headers={**_request_id(own[0]), "content-type": content_type})
        await response(scope, receive, send)


class Families:
    """What an encoder takes in place of a registry."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """Every family."""
        return self._families


def families_of_all(pages: Mapping[str, str]) -> list[Metric]:
    """The families of all pages, each of them once; its samples have the label `replica`."""
    families: dict[str, Metric] = {}
    for replica, page in sorted(pages.items()):
        for family in text_string_to_metric_families(page):
            whole = families.setdefault(
                family.name, Metric(family.name, family.documentation, family.type, family.unit)
            )
            for sample in family.samples:
                whole.add_sample(sample.name, {**sample.labels, REPLICA: replica}, sample.value)
    return list(families.values())


def _is_metrics(start: Message) -> bool:
    kind = Headers(raw=start["headers"]).get("content-type", "")
    return start["status"] == 200 and not kind.startswith("application/json")


def _request_id(start: Message) -> dict[str, str]:
    return {"x-request-id": Headers(raw=start["headers"]).get("x-request-id", "")}
