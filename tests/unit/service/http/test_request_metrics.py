import asyncio
from typing import Any, cast

import pytest

from service.errors import BadQuery, Draining
from service.http.request_metrics import RequestMetrics
from service.metrics import Metrics


class Known:
    """A registry that knows one task."""

    tasks = frozenset({"digits"})


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def requests(metrics: Metrics) -> RequestMetrics:
    return RequestMetrics(metrics, cast("Any", Known()))


def count(metrics: Metrics, task: str, code: str) -> float | None:
    return metrics.registry.get_sample_value("dvpt_requests_total", {"task": task, "code": code})


def test_a_request_counts_once_and_is_timed(metrics: Metrics, requests: RequestMetrics) -> None:
    with requests.measured("digits"):
        assert count(metrics, "digits", "ok") is None

    assert count(metrics, "digits", "ok") == 1
    assert metrics.registry.get_sample_value("dvpt_request_seconds_count", {"task": "digits"}) == 1


@pytest.mark.parametrize(("error", "code"), [(BadQuery("x"), "bad_query"), (ValueError("x"), "internal")])
def test_an_error_counts_by_its_code(
    error: Exception, code: str, metrics: Metrics, requests: RequestMetrics
) -> None:
    with pytest.raises(type(error)), requests.measured("digits"):
        raise error

    assert count(metrics, "digits", code) == 1
    assert count(metrics, "digits", "ok") is None


def test_tasks_that_nobody_knows_share_a_series(metrics: Metrics, requests: RequestMetrics) -> None:
    with requests.measured("made up"):
        pass

    assert count(metrics, "unknown", "ok") == 1


def test_a_request_that_the_end_of_the_service_cancels_is_told_so(
    metrics: Metrics, requests: RequestMetrics
) -> None:
    with pytest.raises(Draining), requests.measured("digits"):
        raise asyncio.CancelledError

    assert count(metrics, "digits", "draining") == 1
