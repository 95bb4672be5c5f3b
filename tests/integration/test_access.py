"""A real service with keys: what does not get around them, and keys that change while it runs."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from adapters.store.store import Store
from tests.support.artifacts import MakeArtifact
from tests.support.pictures import plain_png
from tests.support.server import Serve, Server, Start
from tests.support.waiting import wait_until


def keys_command(file: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "service.access.cli", "--keys", str(file), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys") / "keys.json"


@pytest.fixture(scope="module")
def retail(keys: Path) -> str:
    return keys_command(keys, "create", "retail", "--tasks", "retail-*")


@pytest.fixture(scope="module")
def server(
    module_store: Store, make_artifact: MakeArtifact, serve: Serve, keys: Path, retail: str
) -> Iterator[Server]:
    del retail
    for task in ("retail-a", "secret"):
        module_store.publish(task, make_artifact(1))
    with serve(module_store, f"--keys={keys}", "--root-path=/vision") as running:
        yield running


def status(server: Server, key: str | None, path: str = "/vision/v1/tasks", **options: str) -> int:
    headers = options | ({} if key is None else {"Authorization": f"Bearer {key}"})
    return httpx.get(f"{server.url}{path}", headers=headers).status_code


def raw(server: Server, target: str, *fields: str) -> int:
    """The status of a request with this target, to the byte."""
    head = "\r\n".join([f"GET {target} HTTP/1.1", *(fields or ("Host: here",)), "Connection: close", "", ""])
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(head.encode())
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return int(answer.split(b" ", 2)[1])


def test_a_key_classifies_its_own_tasks_and_sees_no_others(server: Server, retail: str) -> None:
    headers = {"Authorization": f"Bearer {retail}"}
    with httpx.Client(base_url=f"{server.url}/vision", headers=headers) as client:
        asked = [
            client.post(f"/v1/tasks/{task}/classify", content=plain_png(9)) for task in ("retail-a", "secret")
        ]
        assert [answer.status_code for answer in asked] == [200, 403]
        assert [task["task"] for task in client.get("/v1/tasks").json()["tasks"]] == ["retail-a"]
        missing = client.get("/v1/tasks/retail-none").json()
        assert missing["code"] == "task_not_found"
        assert "tasks" not in missing
        assert client.get("/metrics").status_code == 403
        assert asked[0].headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in asked[0].headers


@pytest.mark.parametrize(
    "fields",
    [
        ("Host: here",),
        ("Host: here/healthz?",),
        ("Host: healthz",),
        ("Host: here", "X-Forwarded-Prefix: /healthz", "X-Forwarded-Host: localhost/healthz"),
        ("Host: here", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: https", "Forwarded: for=127.0.0.1"),
        ("Host: here", "X-Original-URL: /healthz", "X-Rewrite-URL: /healthz"),
    ],
)
def test_no_field_of_a_request_stands_for_a_key(server: Server, fields: tuple[str, ...]) -> None:
    assert raw(server, "/vision/v1/tasks", *fields) in (400, 401)
    assert raw(server, "/metrics", *fields) in (400, 401)


@pytest.mark.parametrize(
    "target",
    [
        "/v1/tasks", "/vision/v1/tasks", "//v1/tasks", "/v1//tasks", "/v1/tasks/", "/v1/tasks?",
        "/v1/tasks;x",
        "/./v1/tasks", "/healthz/../v1/tasks", "/healthz/%2e%2e/v1/tasks", "/%76%31/tasks", "/v1%2Ftasks",
        "/vision/vision/v1/tasks", "/vision//v1/tasks", "/V1/TASKS", "/v1/tasks/secret", "/v1/tasks/%73ecret",
        "/v1/tasks/secret%00", "/v1/tasks/x/../secret", "/vision/healthz/..%2fv1/tasks", "/metrics",
        "/metrics/",
        "/vision/metrics", "http://here/v1/tasks", "http://here/vision/metrics", "/docs/../v1/tasks",
        "/\\v1/tasks",
    ],
)  # fmt: skip
def test_no_way_of_writing_a_path_gets_around_the_keys(server: Server, target: str) -> None:
    assert raw(server, target) in (400, 401, 404, 405)


def test_keys_are_made_and_revoked_while_requests_flow(server: Server, keys: Path) -> None:
    text = keys_command(keys, "create", "brief")
    assert status(server, None) == 401
    wait_until(lambda: status(server, text) == 200, "the new key to count")
    keys_command(keys, "revoke", text.split("_")[1])
    wait_until(lambda: status(server, text) == 401, "the revoked key to open nothing")


def test_a_file_half_written_changes_nothing_and_is_told_once(
    server: Server, keys: Path, retail: str
) -> None:
    whole = keys.read_bytes()
    keys.write_bytes(whole[:100])
    server.wait_logged(r"ERROR service.access keys_unusable reason=.* kept=\d+")
    assert status(server, retail) == 200
    keys.write_bytes(whole)


def test_no_key_and_no_hash_is_in_the_log_or_a_metric(server: Server, keys: Path, retail: str) -> None:
    reader = keys_command(keys, "create", "reader", "--scope", "metrics")
    wait_until(lambda: status(server, reader, "/metrics") == 200, "the reader's key to count")
    status(server, retail, "/vision/v1/tasks/none")
    metrics = httpx.get(f"{server.url}/metrics", headers={"X-API-Key": reader}).text
    said = "".join(server.log) + metrics
    assert f"key={retail.split('_')[1]}" in said
    for key in (retail, reader):
        assert key.split("_", 2)[2] not in said
    assert "scrypt" not in said


def test_a_service_that_others_reach_does_not_start_without_keys(module_store: Store, start: Start) -> None:
    refused = start(module_store, "--host=0.0.0.0")
    assert refused.process.wait(60) == 2
    refused.end()
    (line,) = refused.log
    assert "host 0.0.0.0 can be reached from elsewhere" in line
    missing = start(module_store, "--keys=/nowhere/keys.json")
    assert missing.process.wait(60) == 1
    missing.end()
    assert "/nowhere/keys.json cannot be read" in missing.log[-1]


def test_a_key_sees_its_own_tasks_by_the_open_inference_protocol_too(server: Server, keys: Path) -> None:
    every, shop = (
        keys_command(keys, "create", "every"),
        keys_command(keys, "create", "shop", "--tasks", "retail-*"),
    )
    base, length = f"{server.url}/vision/v2", {"Inference-Header-Content-Length": "0"}
    wait_until(lambda: status(server, shop) == 200, "the new keys are known")
    for key, statuses in ((every, [200, 200]), (shop, [200, 403])):
        with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {key}"}) as client:
            asked = [
                client.post(f"/models/{task}/infer", content=plain_png(9), headers=length)
                for task in ("retail-a", "secret")
            ]
        assert [answer.status_code for answer in asked] == statuses
    with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {shop}"}) as client:
        assert asked[1].json()["error"] == asked[1].json()["detail"]
        assert client.get("/models/secret/stats").status_code == 403
        assert {model["name"] for model in client.get("/models/stats").json()["model_stats"]} == {"retail-a"}
        assert {each["name"] for each in client.post("/repository/index").json()} == {"retail-a"}
        assert client.post("/repository/models/retail-a/unload").status_code == 403
    ready = httpx.get(f"{server.url}/vision/v2/health/ready")
    assert (ready.status_code, ready.json()) == (200, {"ready": True})
