"""A real Prometheus scrapes the real service and answers every query of the dashboard.

Needs the program `prometheus` (Debian: apt-get install prometheus); skipped where it is not installed.
"""

import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from PIL import Image

from adapters.kinds.acceptance import Acceptance
from adapters.kinds.dvpt.options import DvptOptions
from adapters.pictures.preprocess import to_pixels
from adapters.store.artifact import Artifact, adapter_of
from adapters.store.store import Store
from adapters.vit.backbone import Backbone, random_backbone
from service.answers.drift import FEWEST
from tests.support.artifacts import random_artifact
from tests.support.backbones import save_weights
from tests.support.keys import key_file, new_key
from tests.support.pictures import encoded
from tests.support.processes import free_port
from tests.support.server import running, start_server
from tests.support.waiting import wait_until

DOCKER = Path(__file__).resolve().parents[2] / "docker"
DASHBOARD: dict[str, Any] = json.loads((DOCKER / "grafana/dashboards/dvpt.json").read_text())
TASKS = ("first", "second")
PICTURE = encoded(Image.new("RGB", (40, 30), "teal"))
RATE_INTERVAL = "1m"  # what Grafana would put in: long enough to hold the whole test
LIMIT_S = 120.0

Sample = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """One query of the dashboard, and the labels that its legend shows."""

    expression: str
    labels: frozenset[str]

    def answered_by(self, samples: list[Sample]) -> bool:
        """At least one sample, all of them numbers that carry the legend's labels."""
        return bool(samples) and all(
            math.isfinite(float(sample["value"][1])) and self.labels <= set(sample["metric"])
            for sample in samples
        )


def questions() -> list[Question]:
    return [
        Question(
            target["expr"].replace("$__rate_interval", RATE_INTERVAL),
            frozenset(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])),
        )
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    ]


@dataclass(frozen=True)
class Scraped:
    """A running service, and the Prometheus that scrapes it."""

    service: httpx.Client
    prometheus: httpx.Client

    def ask(self, expression: str) -> list[Sample]:
        """The samples of an instant query; an error of the query fails the test with its text."""
        answer = self.prometheus.get("/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", f"{expression}: {answer.get('error')}"
        samples: list[Sample] = answer["data"]["result"]
        return samples

    def send_traffic(self) -> None:
        """Every outcome that costs little: answers of both tasks, an unknown task, a damaged picture."""
        for task, body, status in [
            *((task, PICTURE, 200) for task in TASKS),
            ("nothing", PICTURE, 404),
            (TASKS[0], PICTURE[:50], 422),
        ]:
            headers = {"content-type": "image/png"}
            answer = self.service.post(f"/v1/tasks/{task}/classify", content=body, headers=headers)
            assert answer.status_code == status, answer.text
            if answer.status_code == httpx.codes.OK:
                self.tell_the_truth(task, answer.headers["x-request-id"])

    def tell_the_truth(self, task: str, request_id: str) -> None:
        told = {"request_id": request_id, "label": "class 0"}
        self.service.post(f"/v1/tasks/{task}/feedback", json=told).raise_for_status()

    def send_enough_for_a_divergence(self) -> None:
        files = [("images", PICTURE)] * 50
        for _ in range(FEWEST // len(files)):
            for task in TASKS:
                answer = self.service.post(f"/v1/tasks/{task}/classify", files=files)
                assert answer.status_code == httpx.codes.OK, answer.text


@pytest.fixture(scope="module")
def program() -> str:
    found = shutil.which("prometheus")
    if found is None:
        pytest.skip("there is no program `prometheus`; Debian's package of that name has it")
    return found


@pytest.fixture(scope="module")
def scraped(program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    """The service over a store of two random adapters, scraped four times a second."""
    folder = tmp_path_factory.mktemp("prometheus")
    with (
        _service(folder) as address,
        _prometheus(program, folder, address) as prometheus_address,
        httpx.Client(base_url=f"http://{address}") as service,
        httpx.Client(base_url=f"http://{prometheus_address}") as prometheus,
    ):
        wait_until(lambda: _answers(prometheus, "/-/ready"), "Prometheus is ready")
        result = Scraped(service, prometheus)
        # Rates need a first scrape that lies before the traffic.
        wait_until(lambda: _value(result.ask('up{job="dvpt-service"}')) == 1.0, "a scrape")
        yield result


def test_every_query_of_the_dashboard_has_an_answer(scraped: Scraped) -> None:
    unanswered: list[Question] = questions()
    assert unanswered
    scraped.send_enough_for_a_divergence()
    deadline = time.monotonic() + LIMIT_S
    while unanswered and time.monotonic() < deadline:
        scraped.send_traffic()
        time.sleep(0.25)
        unanswered = [
            question for question in unanswered if not question.answered_by(scraped.ask(question.expression))
        ]
    assert [question.expression for question in unanswered] == []


def test_the_dashboard_tells_the_truth(scraped: Scraped) -> None:
    def total(expression: str) -> float:
        return _value(scraped.ask(expression))

    before = total('sum(dvpt_requests_total{code="ok"}) or vector(0)')
    scraped.send_traffic()
    wait_until(lambda: total('sum(dvpt_requests_total{code="ok"})') == before + 2, "a scrape of the traffic")
    assert total("min(dvpt_ready)") == 1.0
    assert total("max(dvpt_tasks)") == 2.0
    assert {sample["metric"]["task"] for sample in scraped.ask("dvpt_pictures_total")} == set(TASKS)
    outcomes = scraped.ask("sum by (task, code) (dvpt_requests_total)")
    pairs = {(sample["metric"]["task"], sample["metric"]["code"]) for sample in outcomes}
    assert ("unknown", "task_not_found") in pairs
    assert (TASKS[0], "picture_damaged") in pairs


def test_every_alert_evaluates_and_none_fires(scraped: Scraped) -> None:
    def rules() -> list[dict[str, Any]]:
        groups = scraped.prometheus.get("/api/v1/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    wait_until(lambda: all(rule["health"] != "unknown" for rule in rules()), "an evaluation of the rules")
    written = yaml.safe_load((DOCKER / "prometheus/alerts.yml").read_text())["groups"]
    assert [rule["name"] for rule in rules()] == [
        rule["alert"] for group in written for rule in group["rules"]
    ]
    assert {rule["name"]: (rule["health"], rule["state"]) for rule in rules()} == {
        rule["name"]: ("ok", "inactive") for rule in rules()
    }


def test_with_keys_prometheus_is_let_in_by_its_own(program: str, tmp_path: Path) -> None:
    text, record = new_key(name="prometheus", scopes=["metrics"])
    (tmp_path / "key").write_text(f"{text}\n")
    flag = f"--keys={key_file(tmp_path, record).path}"
    with (
        _service(tmp_path, flag) as address,
        _prometheus(program, tmp_path, address, "with-keys.yml") as prometheus_address,
        httpx.Client(base_url=f"http://{address}") as service,
        httpx.Client(base_url=f"http://{prometheus_address}") as prometheus,
    ):
        assert service.get("/metrics").status_code == httpx.codes.UNAUTHORIZED
        wait_until(lambda: _answers(prometheus, "/-/ready"), "Prometheus is ready")
        result = Scraped(service, prometheus)
        wait_until(lambda: _value(result.ask('up{job="dvpt-service"}')) == 1.0, "a scrape that is let in")


def _judged(artifact: Artifact, backbone: Backbone) -> Artifact:
    """With thresholds that accept nothing, and val's pictures of the class that `PICTURE` is taken for."""
    count = len(artifact.config.classes)
    pixels = to_pixels(PICTURE, artifact.config.preprocess, backbone.config.image_size)
    best = int(adapter_of(artifact, backbone.config)(backbone, pixels[None]).argmax())
    own = Acceptance(
        thresholds=(1.0,) * count, none_below=0.0, precision=0.95, pictures=100, accepted=0.0,
        accepted_precision=None, false_alarms=0.0,
        predicted=tuple(100 * (index == best) for index in range(count)),
    )  # fmt: skip
    return replace(artifact, config=artifact.config.model_copy(update={"acceptance": own}))


@contextmanager
def _service(folder: Path, *flags: str) -> Iterator[str]:
    """Run the program `dvpt-serve` until the block ends; yields host and port."""
    backbone = random_backbone()
    weights = save_weights(backbone, folder / "weights.safetensors")
    store = Store.create(folder / "store", backbone.config)
    for seed, task in enumerate(TASKS):
        artifact = random_artifact(backbone.config, DvptOptions(count=2), seed=seed)
        store.publish(task, _judged(artifact, backbone))
    program = Path(sys.executable).with_name("dvpt-serve")
    options = [f"--store={store.url}", f"--weights={weights}", *flags]
    started = start_server(options, command=[str(program)])
    with running(started) as server:
        yield f"127.0.0.1:{server.port}"
        assert server.stop() == 0, "".join(server.log)


@contextmanager
def _prometheus(program: str, folder: Path, target: str, file: str = "prometheus.yml") -> Iterator[str]:
    """Run Prometheus with a configuration of the project, aimed at `target`; yields host and port.

    Its key, where it has one, is the file of that name in `folder`.
    """
    config = yaml.safe_load((DOCKER / "prometheus" / file).read_text())
    config["global"] = {"scrape_interval": "250ms", "evaluation_interval": "1s"}
    (job,) = config["scrape_configs"]
    job["static_configs"][0]["targets"] = [target]
    if "authorization" in job:
        key = Path(job["authorization"]["credentials_file"])
        job["authorization"]["credentials_file"] = str(folder / key.name)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    for rules in config["rule_files"]:
        shutil.copy(DOCKER / "prometheus" / rules, folder)
    address = f"127.0.0.1:{free_port()}"
    flags = [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'series'}"]
    with _running([program, *flags, f"--web.listen-address={address}"], folder / "prometheus.log"):
        yield address


@contextmanager
def _running(command: list[str], log: Path) -> Iterator[None]:
    """A process for as long as the block runs; its output stands in `log`."""
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environ)
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=60)
    assert process.returncode == 0, log.read_text()


def _answers(client: httpx.Client, path: str) -> bool:
    try:
        return client.get(path).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _value(samples: list[Sample]) -> float:
    """The only sample's value; NaN where there is none yet."""
    return float(samples[0]["value"][1]) if len(samples) == 1 else math.nan
