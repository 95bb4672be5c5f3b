"""The pages for users of the service name what there is."""

from pathlib import Path

import pytest

from service.http.problems import PROBLEMS
from service.http.routes.classify import CLASSIFY_ERRORS
from service.metrics import Metrics

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.mark.parametrize("code", sorted(PROBLEMS[kind].code for kind in CLASSIFY_ERRORS))
def test_every_problem_of_classify_is_documented(code: str) -> None:
    assert f"`{code}`" in (DOCS / "http.md").read_text()


def test_every_metric_is_documented() -> None:
    text = (DOCS / "operations.md").read_text()

    for metric in Metrics().registry.collect():
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        assert name in text
