"""Prometheus, its alerts and Grafana's dashboard speak of metrics, names and places that there are."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.metrics import Metrics

DOCKER = Path(__file__).resolve().parents[3] / "docker"
DASHBOARD: dict[str, Any] = json.loads((DOCKER / "grafana/dashboards/dvpt.json").read_text())
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def read(path: str) -> Any:
    return yaml.safe_load((DOCKER / path).read_text())


def series_names() -> set[str]:
    families = Metrics().registry.collect()
    return {f"{family.name}{suffix}" for family in families for suffix in SUFFIXES[family.type]}


def queries() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel["targets"])


def alerts() -> list[dict[str, Any]]:
    return [rule for group in read("prometheus/alerts.yml")["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("query", [*queries(), *(alert["expr"] for alert in alerts())])
def test_every_query_names_metrics_of_the_service(query: str) -> None:
    names = set(re.findall(r"\b(?:dvpt|process)_\w+", query))
    assert names or query.startswith("up{")
    assert names <= series_names()


def test_the_dashboard_shows_what_operators_ask_for() -> None:
    shown = " ".join(queries())
    for name in ("requests_total", "request_seconds_bucket", "queue_pictures", "batch_pictures_sum",
                 "batch_tasks_sum", "decode_seconds_sum", "queue_seconds_sum", "inference_seconds_sum",
                 "slots_used", "refused_adapters", "adapter_evictions_total", "ready",
                 "store_last_look_timestamp_seconds", "event_loop_lag_seconds_bucket",
                 "top_probability_bucket", "judged_pictures_total", "class_divergence",
                 "feedback_correct"):  # fmt: skip
        assert f"dvpt_{name}" in shown
    for name in ("cpu_seconds_total", "resident_memory_bytes", "open_fds"):
        assert f"process_{name}" in shown


def test_panels_stand_apart_and_ask_the_provisioned_source() -> None:
    (source,) = read("grafana/provisioning/datasources/prometheus.yaml")["datasources"]
    cells: list[tuple[int, int]] = []
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells += [(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])]
        for asker in (panel, *panel["targets"]):
            assert asker["datasource"] == {"type": source["type"], "uid": source["uid"]}
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))


def test_addresses_are_those_of_the_compose_file() -> None:
    services = read("compose.yaml")["services"]
    exposed = {
        name: service["ports"][0].rpartition(":")[2]
        for name, service in services.items()
        if "ports" in service
    }
    (source,) = read("grafana/provisioning/datasources/prometheus.yaml")["datasources"]
    (job,) = read("prometheus/prometheus.yml")["scrape_configs"]
    assert source["url"] == f"http://prometheus:{exposed['prometheus']}"
    assert job["static_configs"] == [{"targets": [f"service:{exposed['service']}"]}]
    assert f"DVPT_PORT={exposed['service']}\n" in (DOCKER / "service.Dockerfile").read_text()


def test_the_dashboard_lies_where_grafana_looks() -> None:
    grafana = read("compose.yaml")["services"]["grafana"]
    (provider,) = read("grafana/provisioning/dashboards/dvpt.yaml")["providers"]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in grafana["volumes"]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/dvpt.json"


def test_alerts_watch_the_job_that_is_scraped() -> None:
    config = read("prometheus/prometheus.yml")
    assert config["rule_files"] == ["alerts.yml"]
    (job,) = config["scrape_configs"]
    jobs = re.findall(r'job="([^"]+)"', " ".join(alert["expr"] for alert in alerts()))
    assert set(jobs) == {job["job_name"]}


def test_with_keys_prometheus_shows_its_own_and_does_all_else_alike() -> None:
    prometheus = read("compose.keys.yaml")["services"]["prometheus"]
    (folder,) = [volume.split(":")[-2] for volume in prometheus["volumes"]]
    assert "--config.file=/etc/prometheus/with-keys.yml" in prometheus["command"]
    assert "./prometheus:/etc/prometheus:ro" in read("compose.yaml")["services"]["prometheus"]["volumes"]

    config = read("prometheus/with-keys.yml")
    (job,) = config["scrape_configs"]
    assert job.pop("authorization") == {"credentials_file": f"{folder}/key"}
    assert config == read("prometheus/prometheus.yml")


def test_grafanas_rate_interval_follows_the_scrape_interval() -> None:
    (source,) = read("grafana/provisioning/datasources/prometheus.yaml")["datasources"]
    assert (
        source["jsonData"]["timeInterval"] == read("prometheus/prometheus.yml")["global"]["scrape_interval"]
    )
