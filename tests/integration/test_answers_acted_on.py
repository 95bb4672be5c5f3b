"""Thresholds that move, feedback and samples against real servers, one and two processes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.kinds.acceptance import Acceptance
from adapters.store.artifact import Artifact
from adapters.store.label_rules import LabelThresholds
from adapters.store.label_thresholds import rule_thresholds
from adapters.store.store import Store
from tests.support.artifacts import MakeArtifact
from tests.support.pictures import encoded, noise
from tests.support.server import START_TIMEOUT_S, Serve, Server
from tests.support.waiting import wait_until

PICTURES = [encoded(noise(seed, (80, 60)), "PNG") for seed in range(4)]
THRESHOLDS = "/v1/tasks/digits/labels/stable/thresholds"


def judged(artifact: Artifact, count: int = 5) -> Artifact:
    """With thresholds of its own that accept everything, and evenly predicted classes."""
    own = Acceptance(
        thresholds=(0.0,) * count, none_below=0.0, precision=0.95, pictures=20 * count, accepted=1.0,
        accepted_precision=1.0, false_alarms=0.0, predicted=(20,) * count,
    )  # fmt: skip
    return replace(artifact, config=artifact.config.model_copy(update={"acceptance": own}))


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("samples")


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audit") / "audit.jsonl"


@pytest.fixture(scope="module")
def server(
    module_store: Store, make_artifact: MakeArtifact, serve: Serve, samples: Path, audit: Path
) -> Iterator[Server]:
    module_store.publish("digits", judged(make_artifact(1)))
    for task in ("plain", "unsure"):
        module_store.publish(task, make_artifact(2))
    rule_thresholds(module_store, "unsure", "stable", LabelThresholds(none_of_these=1.0))
    flags = [f"--sample-to={samples}", "--sample-share=1", "--sample-margin=0", "--sample-most=3"]
    with serve(module_store, f"--audit={audit}", *flags) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as made:
        yield made
        made.delete(THRESHOLDS).raise_for_status()
        made.delete(THRESHOLDS.replace("digits", "plain")).raise_for_status()


def ask(client: httpx.Client, query: str = "", task: str = "digits", **headers: str) -> dict[str, Any]:
    answer = client.post(f"/v1/tasks/{task}/classify{query}", content=PICTURES[0], headers=headers)
    prediction: dict[str, Any] = answer.raise_for_status().json()["predictions"][0]
    return prediction


def test_thresholds_hold_at_once_for_whoever_asks_by_the_label(client: httpx.Client, audit: Path) -> None:
    best = ask(client)
    assert best["accepted"] is True
    name, probability = best["classes"][0]["label"], best["classes"][0]["probability"]
    above = min(1.0, probability + 0.001)
    ruled = client.put(THRESHOLDS, json={"classes": {name: above}, "default": 0.0})
    assert ruled.json() == {
        "label": "stable",
        "version": 1,
        "thresholds": {"classes": {name: above}, "default": 0.0, "none_of_these": None},
    }
    found = [
        ask(client),
        ask(client, "?label=stable"),
        ask(client, "?version=1"),
        ask(client, "?abstain=off"),
    ]
    assert [each.get("reason") for each in found] == ["below_threshold"] * 2 + [None] * 2
    assert [each.get("accepted") for each in found] == [False, False, True, None]
    client.put(THRESHOLDS, json={"none_of_these": above}).raise_for_status()
    assert ask(client)["reason"] == "none_of_these"
    assert client.delete(THRESHOLDS).json()["thresholds"] is None
    assert ask(client)["accepted"] is True
    lines = [json.loads(line) for line in audit.read_text().splitlines()]
    done = [line for line in lines if line["action"] == "set_thresholds" and line["result"] == "done"]
    assert (done[0]["who"], done[0]["task"], done[0]["label"]) == ("insecure", "digits", "stable")
    assert done[0]["thresholds"]["classes"] == {name: above}


def test_a_version_without_thresholds_can_be_given_some(client: httpx.Client) -> None:
    assert "accepted" not in ask(client, task="plain")
    client.put(THRESHOLDS.replace("digits", "plain"), json={"default": 1.0}).raise_for_status()
    assert ask(client, task="plain")["accepted"] is False


def test_thresholds_set_by_the_command_reach_the_service(
    client: httpx.Client, module_store: Store, server: Server
) -> None:
    del server
    command = [sys.executable, "-m", "adapters.command.cli", "thresholds", "digits", "stable", "--default=1"]
    subprocess.run([*command, f"--store={module_store.url}"], check=True, capture_output=True)
    wait_until(lambda: ask(client)["accepted"] is False, "the thresholds to hold")
    rule_thresholds(module_store, "digits", "stable", None)
    wait_until(lambda: ask(client)["accepted"] is True, "the version's own to hold again")


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [(THRESHOLDS, {"classes": {"River": 0.5}}, 422, "class_not_found"),
     (THRESHOLDS, {"default": 1.5}, 400, "bad_body"),
     (THRESHOLDS, {"threshold": 0.5}, 400, "bad_body"),
     (THRESHOLDS.replace("stable", "canary"), {}, 404, "label_not_found"),
     (THRESHOLDS.replace("digits", "nothing"), {}, 404, "task_not_found"),
     (THRESHOLDS.replace("stable", "7"), {}, 400, "invalid_name")],
)  # fmt: skip
def test_thresholds_that_make_no_sense_are_refused(
    client: httpx.Client, path: str, body: dict[str, Any], status: int, code: str, audit: Path
) -> None:
    refused = client.put(path, json=body)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    if code == "class_not_found":
        assert "there are: 'class 0', 'class 1'" in refused.json()["detail"]
        assert json.loads(audit.read_text().splitlines()[-1])["result"] == code
    assert ask(client)["accepted"] is True


def test_feedback_counts_for_the_version_that_answered(client: httpx.Client, server: Server) -> None:
    best = ask(client, **{"x-request-id": "mine"})["classes"][0]["label"]
    other = next(name for name in ("class 0", "class 1") if name != best)

    def tell(label: str, **given: Any) -> httpx.Response:
        return client.post("/v1/tasks/digits/feedback", json={"request_id": "mine", "label": label} | given)

    told = [tell(best, index=0), tell(best)]
    assert [(each.status_code, each.json()) for each in told] == [(202, {"version": 1, "correct": True})] * 2
    assert client.get("/v1/tasks/digits").json()["feedback"] == {"1": {"answers": 1, "correct": 1}}
    assert tell(other).json() == {"version": 1, "correct": False}
    assert client.get("/v1/tasks/digits").json()["feedback"] == {"1": {"answers": 1, "correct": 0}}
    metrics = server.metrics()
    assert metrics['dvpt_feedback_answers{task="digits",version="1"}'] == 1
    assert metrics['dvpt_feedback_correct{task="digits",version="1"}'] == 0
    refused = [tell("River"), tell(best, index=1), tell(best, request_id="yours"), tell(best, index=-1)]
    assert [each.json()["code"] for each in refused] == [
        "class_not_found", "bad_body", "answer_not_known", "bad_body",
    ]  # fmt: skip
    elsewhere = client.post("/v1/tasks/plain/feedback", json={"request_id": "mine", "label": best})
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (404, "answer_not_known")


def test_uncertain_pictures_are_kept_up_to_the_cap_and_no_others(
    client: httpx.Client, samples: Path, server: Server
) -> None:
    def full() -> float:
        return server.metrics().get('dvpt_samples_total{outcome="full"}', 0.0)

    def kept() -> list[Path]:
        return sorted(samples.glob("unsure/*.json"))

    before, files = full(), [("images", picture) for picture in PICTURES]
    answer = client.post("/v1/tasks/unsure/classify", files=files, headers={"x-request-id": "four"})
    predictions = answer.raise_for_status().json()["predictions"]
    wait_until(lambda: full() == before + 1, "the samples")
    assert len(kept()) == 3
    for path in kept():
        facts = json.loads(path.read_text())
        assert (facts["request_id"], facts["verdict"]) == ("four", "none_of_these")
        assert (path.parent / facts["picture"]).read_bytes() == PICTURES[facts["index"]]
        best = predictions[facts["index"]]["classes"][0]
        assert facts["classes"][0]["label"] == best["label"]
    ask(client, "?version=1", task="plain")
    sure = [json.loads(path.read_text()) for path in samples.glob("plain/*.json")]
    assert all(facts["verdict"] for facts in sure)


def test_answers_that_are_not_what_they_were_show(client: httpx.Client, server: Server) -> None:
    files = [("images", PICTURES[0])] * 50
    for _ in range(5):
        client.post("/v1/tasks/digits/classify", files=files).raise_for_status()
    metrics = server.metrics()
    assert metrics['dvpt_class_divergence{task="digits"}'] > 0.3
    assert metrics['dvpt_judged_pictures_total{task="digits",verdict="accepted"}'] >= 250
    assert metrics['dvpt_top_probability_bucket{le="+Inf",task="digits"}'] >= 250


def test_without_a_place_no_picture_is_kept_and_two_processes_know_each_others_answers(
    empty_store: Store, make_artifact: MakeArtifact, serve: Serve
) -> None:
    empty_store.publish("digits", make_artifact(1))
    rule_thresholds(empty_store, "digits", "stable", LabelThresholds(default=1.0))
    before = set(Path(empty_store.url).parent.rglob("*"))
    with serve(empty_store, "--workers=2", ready=False) as server:
        server.wait_logged(r"INFO service.workers ready workers=2", START_TIMEOUT_S)
        answered: dict[str, str] = {}
        for number in range(8):  # a connection each: the system spreads them over both
            with httpx.Client(base_url=server.url, timeout=60) as client:
                prediction = ask(client, **{"x-request-id": f"request-{number}"})
                answered[f"request-{number}"] = prediction["classes"][0]["label"]
                assert prediction["accepted"] is False
        for request_id, label in answered.items():
            for _ in range(2):
                told = {"request_id": request_id, "label": label}
                given = httpx.post(f"{server.url}/v1/tasks/digits/feedback", json=told)
                assert given.json() == {"version": 1, "correct": True}
        for _ in range(4):
            shown = httpx.get(f"{server.url}/v1/tasks/digits").json()
            assert shown["feedback"] == {"1": {"answers": 8, "correct": 8}}
        assert server.metrics()['dvpt_feedback_answers{task="digits",version="1"}'] == 8
        assert set(Path(empty_store.url).parent.rglob("*")) == before
