"""A real service whose labels share the traffic: by HTTP and by command, in answers and the audit."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch

from adapters.command.cli import main
from adapters.store.artifact import TENSORS_FILE, Artifact
from adapters.store.label_rules import LabelTraffic
from adapters.store.store import Store
from tests.support.artifacts import MakeArtifact
from tests.support.pictures import encoded, noise
from tests.support.server import Serve, Server, process_of
from tests.support.waiting import wait_until

PICTURE = encoded(noise(1, (80, 60)), "PNG")


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audit") / "audit.jsonl"


@pytest.fixture(scope="module")
def server(module_store: Store, serve: Serve, audit: Path) -> Iterator[Server]:
    with serve(module_store, f"--audit={audit}") as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


def overflowing(artifact: Artifact) -> Artifact:
    """The same with a head whose sums are beyond float32: its answers are not finite."""
    tensors = {
        name: torch.full_like(tensor, 3e38) if "head" in name else tensor
        for name, tensor in artifact.tensors.items()
    }
    return replace(artifact, tensors=tensors)


def always(artifact: Artifact, index: int) -> Artifact:
    """The same with a head that takes every picture for one class."""
    tensors = dict(artifact.tensors)
    (bias,) = [name for name in tensors if "head" in name and name.endswith("bias")]
    tensors[bias] = tensors[bias].clone()
    tensors[bias][index] = 1e4
    return replace(artifact, tensors=tensors)


def publish(store: Store, client: httpx.Client, task: str, stable: Artifact, canary: Artifact) -> None:
    """`stable` is version 1, `canary` version 2, and the service knows."""
    store.publish(task, stable)
    store.publish(task, canary, label="canary")
    labels = {"stable": 1, "canary": 2}
    wait_until(lambda: client.get(f"/v1/tasks/{task}").json().get("labels") == labels, "the task")


def rule(client: httpx.Client, task: str, **traffic: object) -> None:
    """Rule it for `canary`, and wait until this process goes by it."""
    ruled = client.put(f"/v1/tasks/{task}/labels/canary/traffic", json=traffic)
    assert ruled.status_code == 200, ruled.text
    shares = {name: value for name, value in traffic.items() if name.endswith("share")}

    def followed() -> bool:
        told = shown(client, task)["traffic"].get("canary", {"rules": {}})["rules"]
        return all(told.get(name) == value for name, value in shares.items())

    wait_until(followed, "the rules")


def shown(client: httpx.Client, task: str) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(f"/v1/tasks/{task}").raise_for_status().json()
    return answer


def ask(client: httpx.Client, task: str, **headers: str) -> tuple[int, str]:
    """Version and label of the answer to a plain request."""
    answer = client.post(f"/v1/tasks/{task}/classify", content=PICTURE, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["version"], answer.json()["label"]


def lines(audit: Path, task: str) -> list[dict[str, Any]]:
    every = (json.loads(line) for line in audit.read_text().splitlines())
    return [line for line in every if line["task"] == task]


def test_a_canary_answers_its_share_and_a_key_stays_on_it(
    module_store: Store, client: httpx.Client, make_artifact: MakeArtifact, audit: Path
) -> None:
    publish(module_store, client, "shared", make_artifact(1), make_artifact(2))
    rule(client, "shared", canary_share=0.5)
    wait_until(lambda: ask(client, "shared") == (2, "canary"), "the canary to be in memory")

    counts = Counter(ask(client, "shared") for _ in range(200))
    assert counts.keys() == {(1, "stable"), (2, "canary")}
    assert 60 <= counts[2, "canary"] <= 140  # 5.6 standard deviations

    keys = [f"user-{number}" for number in range(40)]
    first = {key: ask(client, "shared", **{"X-Request-Key": key}) for key in keys}
    assert len(set(first.values())) == 2
    assert first == {key: ask(client, "shared", **{"X-Request-Key": key}) for key in keys}
    rule(client, "shared", canary_share=0.8)
    later = {key: ask(client, "shared", **{"X-Request-Key": key}) for key in keys}
    assert all(later[key] == (2, "canary") for key in keys if first[key] == (2, "canary"))
    assert Counter(later.values())[2, "canary"] > Counter(first.values())[2, "canary"]

    answer = client.delete("/v1/tasks/shared/labels/canary/traffic")
    assert answer.json() == {"task": "shared", "label": "canary", "version": 2, "traffic": None}
    wait_until(lambda: not shown(client, "shared")["traffic"], "the end of it")
    assert {ask(client, "shared") for _ in range(20)} == {(1, "stable")}
    assert [(line["who"], line["action"], line["result"]) for line in lines(audit, "shared")] == [
        ("insecure", "set_traffic", "done"),
        ("insecure", "set_traffic", "done"),
        ("insecure", "remove_traffic", "done"),
    ]


def test_agreement_is_counted_and_promotes(
    module_store: Store, client: httpx.Client, server: Server, make_artifact: MakeArtifact, audit: Path
) -> None:
    publish(module_store, client, "agreeing", make_artifact(3), make_artifact(3))
    rule(client, "agreeing", shadow_share=1.0, promote={"agreement": 1.0, "over": 10_000})

    def counted() -> int:
        ask(client, "agreeing")
        return int(shown(client, "agreeing")["traffic"]["canary"]["agreement"]["pictures"])

    wait_until(lambda: counted() >= 5, "comparisons")
    agreement = shown(client, "agreeing")["traffic"]["canary"]["agreement"]
    assert agreement["share"] == 1.0
    metric = 'dvpt_shadow_pictures_total{outcome="agreed",task="agreeing"}'
    assert server.metrics()[metric] >= agreement["pictures"]

    rule(client, "agreeing", shadow_share=1.0, promote={"agreement": 1.0, "over": 5})
    wait_until(lambda: ask(client, "agreeing") == (2, "stable"), "the promotion")
    assert module_store.label("agreeing", "stable").version == 2
    line = lines(audit, "agreeing")[-1]
    assert (line["who"], line["action"], line["result"]) == ("rule", "promote", "done")
    assert (line["version"], line["past"], line["agreed"] >= 5) == (2, 1, True)
    assert line["when"].startswith("20")
    server.wait_logged(r"service.traffic promote task=agreeing result=done")
    assert server.metrics()['dvpt_traffic_changes_total{change="promote",result="done"}'] == 1


def test_disagreement_promotes_nothing(
    module_store: Store, client: httpx.Client, make_artifact: MakeArtifact
) -> None:
    stable, canary = always(make_artifact(1), 0), always(make_artifact(2), 1)
    publish(module_store, client, "apart", stable, canary)
    rule(client, "apart", shadow_share=1.0, promote={"agreement": 0.5, "over": 3})

    def counted() -> int:
        ask(client, "apart")
        return int(shown(client, "apart")["traffic"]["canary"]["agreement"]["pictures"])

    wait_until(lambda: counted() >= 6, "comparisons")
    assert shown(client, "apart")["traffic"]["canary"]["agreement"]["share"] == 0.0
    assert module_store.label("apart", "stable").version == 1


def test_errors_take_a_broken_canary_out_and_fail_no_client(
    module_store: Store, client: httpx.Client, make_artifact: MakeArtifact, audit: Path
) -> None:
    publish(module_store, client, "broken", make_artifact(1), overflowing(make_artifact(2)))
    rule(client, "broken", canary_share=1.0, roll_back={"errors": 0.5, "over": 20})
    wait_until(
        lambda: client.post("/v1/tasks/broken/classify?version=2", content=PICTURE).is_error, "an error"
    )
    refused = client.post("/v1/tasks/broken/classify?version=2", content=PICTURE).json()
    assert refused["code"] == "output_not_finite"

    def rolled_back() -> bool:
        assert ask(client, "broken") == (1, "stable")
        return bool(lines(audit, "broken")[1:])

    wait_until(rolled_back, "the rule")
    line = lines(audit, "broken")[-1]
    assert (line["who"], line["action"], line["result"]) == ("rule", "roll_back", "done")
    assert line["errors"] >= 10  # some more may be answered before the rule is carried out
    label = module_store.label("broken", "canary")
    assert label.rules is not None
    assert label.rules.traffic is not None
    assert (label.version, label.rules.traffic.canary_share) == (2, 0.0)
    wait_until(lambda: shown(client, "broken")["traffic"]["canary"]["rules"]["canary_share"] == 0, "it")
    assert shown(client, "broken")["labels"] == {"stable": 1, "canary": 2}


def test_a_refused_canary_fails_no_client_and_its_state_says_why(
    module_store: Store, module_folder: Path, client: httpx.Client, make_artifact: MakeArtifact
) -> None:
    publish(module_store, client, "damaged", make_artifact(1), make_artifact(2))
    (module_folder / "damaged" / "2" / TENSORS_FILE).write_bytes(b"none")
    rule(client, "damaged", canary_share=1.0)

    asked = []

    def refused() -> bool:
        asked.append(ask(client, "damaged"))
        assert asked[-1] == (1, "stable")
        return bool(shown(client, "damaged")["versions"][1]["state"] == "refused")

    wait_until(refused, "the refusal")
    first, second = shown(client, "damaged")["versions"]
    assert (first["state"], first["place"], first["error"], first["next_try"]) == (
        "ready",
        "slot",
        None,
        None,
    )
    assert first["last_used"].endswith("Z")
    assert first["load_ms"] > 0
    assert first["requests"] == len(asked)
    assert (second["place"], second["last_used"], second["requests"]) == ("store", None, 0)
    assert "damaged/2" in second["error"]
    assert second["next_try"] > first["last_used"]


@pytest.mark.parametrize(
    ("label", "body", "status", "code"),
    [
        ("stable", {"canary_share": 0.1}, 409, "store_conflict"),
        ("made-up", {"canary_share": 0.1}, 404, "label_not_found"),
        ("next", {"canary_share": 0.7}, 409, "store_conflict"),
        ("next", {"canary_share": 1.1}, 400, "bad_body"),
        ("next", {"canary_share": "0.1"}, 400, "bad_body"),
        ("next", {"share": 0.1}, 400, "bad_body"),
        ("next", {"promote": {"agreement": 0.9, "over": 10}}, 400, "bad_option"),
        ("next", {"shadow_share": 1, "promote": {"agreement": 0.9, "over": 0}}, 400, "bad_body"),
        ("next", [], 400, "bad_body"),
        ("Next!", {}, 400, "invalid_name"),
    ],
)
def test_what_cannot_be_ruled_is_refused(
    module_store: Store,
    client: httpx.Client,
    make_artifact: MakeArtifact,
    label: str,
    body: object,
    status: int,
    code: str,
) -> None:
    if "strict" not in module_store.tasks():
        publish(module_store, client, "strict", make_artifact(1), make_artifact(2))
        module_store.set_label("strict", "next", 2)
        rule(client, "strict", canary_share=0.5)
    answer = client.put(f"/v1/tasks/strict/labels/{label}/traffic", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    rules = {name: each.traffic for name, each in module_store.task("strict").rules.items()}
    assert rules == {"canary": LabelTraffic(canary_share=0.5)}


def test_a_body_that_is_too_long_or_no_json_is_refused(client: httpx.Client) -> None:
    url = "/v1/tasks/strict/labels/next/traffic"
    assert client.put(url, content=b" " * 300_000).json()["code"] == "request_too_large"
    assert client.put(url, content=b"{").json()["code"] == "bad_body"
    assert client.put("/v1/tasks/made-up/labels/next/traffic", json={}).json()["code"] == "task_not_found"


def test_of_two_workers_both_follow(
    empty_store: Store, serve: Serve, make_artifact: MakeArtifact, capsys: pytest.CaptureFixture[str]
) -> None:
    empty_store.publish("digits", make_artifact(1))
    empty_store.publish("digits", make_artifact(2), label="canary")
    command: Callable[..., int] = lambda *given: main(  # noqa: E731
        ["traffic", "digits", "canary", "--store", empty_store.url, *given]
    )
    assert command("--canary", "1") == 0
    with serve(empty_store, "--workers=2", "--access-log", ready=False) as server:
        server.wait_logged(r"INFO service.workers ready workers=2")

        def answers() -> list[tuple[int, str]]:
            """What each worker answered last, to requests on connections of their own."""
            asked: dict[str, tuple[int, str]] = {}
            for _ in range(40):
                headers = {"connection": "close", "x-request-key": "user-1"}
                url = f"{server.url}/v1/tasks/digits/classify"
                answer = httpx.post(url, content=PICTURE, headers=headers, timeout=60).raise_for_status()
                asked[answer.headers["x-request-id"]] = answer.json()["version"], answer.json()["label"]
            found = {process_of(server.wait_logged(rf" request id={id_} ")): asked[id_] for id_ in asked}
            return list(found.values())

        wait_until(lambda: answers() == [(2, "canary")] * 2, "both to try it")
        assert command("--off") == 0
        wait_until(lambda: answers() == [(1, "stable")] * 2, "both to leave it")
    assert "digits: canary = version 2, no traffic of its own" in capsys.readouterr().out
