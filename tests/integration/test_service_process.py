"""The process: how it starts, what it says where it cannot, and how it ends."""

import signal
import socket
from pathlib import Path

import httpx

from adapters.store.store import Store
from adapters.vit.backbone import EMBEDDED_BACKBONE, random_backbone
from tests.support.artifacts import MakeArtifact
from tests.support.backbones import save_weights
from tests.support.server import Serve, Start


def test_an_empty_store_is_served_on_loopback(empty_store: Store, serve: Serve) -> None:
    with serve(empty_store) as server:
        response = httpx.post(f"{server.url}/v1/tasks/any/classify", content=b"x")

        assert (response.status_code, response.json()["tasks"]) == (404, [])
        request_id = response.headers["x-request-id"]
        assert response.json()["request_id"] == request_id
        server.wait_logged(
            rf"INFO service.http request_failed id={request_id} method=POST status=404 task=any "
        )
        assert server.metrics()["dvpt_ready"] == 1
        server.wait_logged(r"INFO service settings store=\S+ .*host=127\.0\.0\.1 port=0")
        server.wait_logged(r"INFO service.startup started .*max_batch=(16|64)\b")
        server.wait_logged(r"INFO service.server listening host=127\.0\.0\.1 port=\d+")
        assert server.stop(signal.SIGINT) == 0


def test_a_store_is_made_for_a_backbone(tmp_path: Path, serve: Serve) -> None:
    with serve(tmp_path / "new", f"--backbone={EMBEDDED_BACKBONE}") as server:
        assert httpx.get(f"{server.url}/v1/tasks").json() == {"tasks": []}
        assert server.stop(signal.SIGTERM) == 0

    assert Store.open(tmp_path / "new").backbone.name == EMBEDDED_BACKBONE


def test_signals_that_go_on_to_the_end_do_not_change_how_it_ends(empty_store: Store, serve: Serve) -> None:
    with serve(empty_store) as server:
        while server.process.poll() is None:
            server.process.send_signal(signal.SIGTERM)

    assert server.process.returncode == 0


def test_wrong_weights_end_it_with_a_reason(empty_store: Store, serve: Serve, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    save_weights(random_backbone(seed=99), other)
    with serve(empty_store, f"--weights={other}", ready=False) as server:
        server.wait_logged(r"CRITICAL service.startup start_failed kind=BackboneMismatch")
        assert server.process.wait(60) == 1


def test_a_taken_port_ends_it_with_a_reason(empty_store: Store, start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = start(empty_store, f"--port={taken.getsockname()[1]}")
        assert server.process.wait(240) == 1
        server.end()

    log = "".join(server.log)
    assert "address already in use" in log.lower()
    assert "Traceback" not in log


def test_a_bad_adapter_at_the_start_does_not_keep_the_others_away(
    empty_store: Store, make_artifact: MakeArtifact, serve: Serve, tmp_path: Path
) -> None:
    artifact = make_artifact(1)
    for task in ["bad", *(f"good{index}" for index in range(40))]:
        empty_store.publish(task, artifact)
    tensors = next((tmp_path / "store" / "bad" / "1").glob("*.safetensors"))
    tensors.write_bytes(tensors.read_bytes()[:100])
    with serve(empty_store, ready=False) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        early, alive = client.get("/readyz"), client.get("/healthz")
        not_known_yet = [client.get(path) for path in ("/v1/tasks", "/v1/tasks/good1", "/v2/models/good1")]
        server.wait_ready()
        ready = client.get("/readyz")
        bad = client.post("/v1/tasks/bad/classify", content=b"x")
        listed = client.get("/v1/tasks").json()["tasks"]

    assert (early.status_code, early.json()["code"]) == (503, "starting")
    assert int(early.headers["retry-after"]) >= 1
    assert [answer.status_code for answer in not_known_yet] == [503] * 3
    assert alive.status_code == ready.status_code == 200
    assert (bad.status_code, bad.json()["code"]) == (503, "adapter_unavailable")
    assert [each["task"] for each in listed if each["refused"]] == ["bad"]
    assert sum(each["serving"] == {"stable": 1} for each in listed) == 40
