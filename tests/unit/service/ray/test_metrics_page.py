from collections.abc import Mapping

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp

from service.ray.metrics_page import MetricsOfAll

pytestmark = pytest.mark.anyio


def page(requests: int) -> str:
    registry = CollectorRegistry()
    Counter("requests", "Requests", ["task"], registry=registry).labels("a").inc(requests)
    Histogram("seconds", "Seconds", buckets=(1.0,), registry=registry).observe(requests)
    return generate_latest(registry).decode()


async def ask(app: ASGIApp, path: str = "/metrics", accept: str = "") -> httpx.Response:
    async def pages() -> Mapping[str, str]:
        return {"one": page(1), "two": page(2)}

    transport = httpx.ASGITransport(MetricsOfAll(app, pages))
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        return await client.get(path, headers={"accept": accept})


async def test_every_sample_of_every_replica_is_there_and_each_family_once() -> None:
    answer = await ask(PlainTextResponse("# own", headers={"x-request-id": "7"}))

    families = list(text_string_to_metric_families(answer.text))
    assert len({family.name for family in families}) == len(families)
    found = {(s.name, *sorted(s.labels.items())): s.value for family in families for s in family.samples}
    assert found["requests_total", ("replica", "one"), ("task", "a")] == 1
    assert found["requests_total", ("replica", "two"), ("task", "a")] == 2
    assert found["seconds_bucket", ("le", "1.0"), ("replica", "two")] == 0
    assert (
        found[
            "seconds_sum",
            ("replica", "two"),
        ]
        == 2
    )
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-request-id"] == "7"


async def test_it_comes_in_the_format_that_is_asked_for() -> None:
    answer = await ask(PlainTextResponse("# own"), accept="application/openmetrics-text; version=1.0.0")

    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


@pytest.mark.parametrize(
    ("path", "own"),
    [
        ("/metrics", JSONResponse({"code": "forbidden"}, 403)),
        ("/v1/tasks/metrics", JSONResponse({"task": "metrics"})),
        ("/v1/tasks", PlainTextResponse("other")),
    ],
)
async def test_any_other_answer_is_its_own(path: str, own: Response) -> None:
    answer = await ask(own, path)

    assert (answer.status_code, answer.content) == (own.status_code, own.body)
