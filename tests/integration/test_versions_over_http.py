"""Versions and labels of a real service, changed over HTTP while it answers.

The service looks at its store by itself once an hour only: what it answers with at once it was told.
"""

import gzip
import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from adapters.kinds.linear.options import LinearOptions
from adapters.store.artifact import CONFIG_FILE, TENSORS_FILE, encode_artifact
from adapters.store.signature import SIGNATURE_FILE, Signer
from adapters.store.store import Store
from adapters.vit.backbone import Backbone, random_backbone
from tests.support.archives import tar_of
from tests.support.artifacts import MakeArtifact, random_artifact
from tests.support.pictures import plain_png
from tests.support.server import Serve, Server
from tests.support.waiting import wait_until

ALONE = ("--watch-interval-s=3600", "--whole-look-interval-s=86400")
MAX_BYTES = 1_000_000
TAR = {"Content-Type": "application/x-tar"}


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audit") / "audit.jsonl"


@pytest.fixture(scope="module")
def server(
    module_store: Store, serve: Serve, audit: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    flags = [
        f"--max-artifact-bytes={MAX_BYTES}", f"--audit={audit}",
        f"--uploads={tmp_path_factory.mktemp('uploads')}", "--upload-timeout-ms=3000",
    ]  # fmt: skip
    with serve(module_store, *ALONE, *flags) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{server.url}/v1", timeout=60) as client:
        yield client


@pytest.fixture
def task(request: pytest.FixtureRequest) -> str:
    """A task of the test's own."""
    return f"t{hashlib.sha256(request.node.name.encode()).hexdigest()[:12]}"


@pytest.fixture(scope="session")
def files(make_artifact: MakeArtifact, served_backbone: Backbone) -> list[dict[str, bytes]]:
    """Three artifacts with the same classes, as their files."""
    return [encode_artifact(make_artifact(seed), served_backbone.config) for seed in range(3)]


@pytest.fixture(scope="session")
def tars(files: list[dict[str, bytes]]) -> list[bytes]:
    return [tar_of(each) for each in files]


def publish(client: httpx.Client, task: str, data: bytes, query: str = "", **headers: str) -> httpx.Response:
    return client.post(f"/tasks/{task}/versions{query}", content=data, headers=TAR | headers)


def answering(client: httpx.Client, task: str, query: str = "") -> Any:
    asked = client.post(f"/tasks/{task}/classify{query}", content=plain_png(9))
    return asked.json()["version"] if asked.status_code == 200 else asked.json()["code"]


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_published_version_answers_at_once_and_once(
    client: httpx.Client, task: str, tars: list[bytes], files: list[dict[str, bytes]]
) -> None:
    digest = json.loads(files[0][CONFIG_FILE])["tensors_sha256"]
    first = publish(client, task, tars[0])
    assert (first.status_code, first.headers["location"]) == (201, "versions/1")
    assert first.json() == {
        "task": task, "version": 1, "digest": digest, "label": "stable", "existed": False,
    }  # fmt: skip
    assert answering(client, task) == 1
    again = publish(client, task, gzip.compress(tars[0]))
    assert (again.status_code, again.json()["version"], again.json()["existed"]) == (200, 1, True)
    assert publish(client, task, tars[1], "?label=none").json()["label"] is None
    assert answering(client, task) == 1
    parts = [("files", (name, data)) for name, data in files[2].items()]
    assert client.post(f"/tasks/{task}/versions", files=parts).json()["version"] == 3
    assert answering(client, task) == 3
    assert answering(client, task, "?version=2") == 2


def test_a_version_is_shown_and_verified(
    client: httpx.Client, task: str, module_store: Store, module_folder: Path, tars: list[bytes]
) -> None:
    publish(client, task, tars[0])
    page = client.get(f"/tasks/{task}/versions/1").json()
    assert page["config"] == module_store.config(task, 1).model_dump(mode="json")
    assert (page["labels"], page["signature"]["state"]) == (["stable"], "unsigned")
    assert page["card"] == {"text": None, "pictures": []}
    verified = client.post(f"/tasks/{task}/versions/1/verify").json()
    assert (verified["ok"], verified["digest"]) == (True, page["digest"])
    tensors = module_folder / task / "1" / TENSORS_FILE
    whole = bytearray(tensors.read_bytes())
    whole[-1] ^= 1
    tensors.write_bytes(whole)
    damaged = client.post(f"/tasks/{task}/versions/1/verify")
    assert refused(damaged) == (422, "artifact_damaged")
    assert "was changed: its SHA-256 is" in damaged.json()["detail"]
    assert refused(client.get(f"/tasks/{task}/versions/9")) == (404, "version_not_found")
    assert refused(client.get("/tasks/none/versions/1")) == (404, "task_not_found")


def test_what_is_no_adapter_is_refused_and_nothing_is_there(
    client: httpx.Client, task: str, tars: list[bytes], files: list[dict[str, bytes]], module_folder: Path
) -> None:
    stranger = random_backbone(seed=12).config
    other = tar_of(encode_artifact(random_artifact(stranger, LinearOptions(), seed=1), stranger))
    flipped = dict(files[0])
    flipped[TENSORS_FILE] = files[0][TENSORS_FILE][:-1] + b"\xff"
    cases: list[tuple[bytes, int, str]] = [
        (b"", 422, "artifact_format"),
        (plain_png(1), 422, "artifact_format"),
        (tar_of({CONFIG_FILE: b"{"}), 422, "artifact_damaged"),
        (tar_of({"../x": b""}), 422, "artifact_format"),
        (tars[0][: len(tars[0]) // 2], 422, "artifact_format"),
        (gzip.compress(tars[0])[:-20], 422, "artifact_damaged"),
        (tar_of(flipped), 422, "artifact_damaged"),
        (other, 409, "backbone_mismatch"),
        (gzip.compress(tar_of({TENSORS_FILE: bytes(2 * MAX_BYTES)})), 413, "artifact_too_large"),
        (bytes(MAX_BYTES + 1), 413, "artifact_too_large"),
    ]
    for data, status, code in cases:
        assert refused(publish(client, task, data)) == (status, code), data[:20]
    assert refused(publish(client, task, tars[0], **{"Content-Type": "image/png"})) == (415, "media_type")
    assert refused(publish(client, task, tars[0], "?lable=x")) == (400, "bad_query")
    assert refused(publish(client, "UPPER", tars[0])) == (400, "invalid_name")
    assert not (module_folder / task).exists()
    assert answering(client, task) == "task_not_found"


def test_too_large_is_told_while_it_comes(client: httpx.Client, task: str) -> None:
    """No length is announced."""
    answer = client.post(
        f"/tasks/{task}/versions", content=iter([bytes(65_536)] * (3 * MAX_BYTES // 65_536)), headers=TAR
    )
    assert refused(answer) == (413, "artifact_too_large")


def test_other_classes_need_to_be_asked_for(
    client: httpx.Client, task: str, tars: list[bytes], make_artifact: MakeArtifact, served_backbone: Backbone
) -> None:
    publish(client, task, tars[0])
    wider = tar_of(encode_artifact(make_artifact(5, class_count=7), served_backbone.config))
    assert refused(publish(client, task, wider)) == (409, "classes_differ")
    assert client.get(f"/tasks/{task}").json()["labels"] == {"stable": 1}
    assert publish(client, task, wider, "?replace_classes=true").json()["version"] == 2
    rolled_back = client.post(f"/tasks/{task}/labels/stable/rollback")
    assert refused(rolled_back) == (409, "classes_differ")


def test_two_uploads_at_once_make_one_version(client: httpx.Client, task: str, tars: list[bytes]) -> None:
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: publish(client, task, tars[0]), range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert {answer.json()["version"] for answer in answers} == {1}
    assert client.get(f"/tasks/{task}").json()["versions"][-1]["version"] == 1


def test_an_upload_goes_on_where_it_was_cut(client: httpx.Client, task: str, tars: list[bytes]) -> None:
    data = tars[0]
    name, total, half = hashlib.sha256(data).hexdigest(), len(data), len(data) // 2
    path = f"/tasks/{task}/uploads/{name}"

    def put(first: int, last: int, content: bytes | None = None) -> httpx.Response:
        header = {"Content-Range": f"bytes {first}-{last}/{total}"}
        return client.put(path, content=content or data[first : last + 1], headers=header)

    assert client.head(path).headers["upload-offset"] == "0"
    assert put(0, half - 1).json() == {"upload": name, "offset": half}
    assert client.head(path).headers["upload-offset"] == str(half)
    early = client.post(f"/tasks/{task}/versions?upload={name}")
    assert (refused(early), early.headers["upload-offset"]) == ((409, "upload_conflict"), str(half))
    ahead = put(half + 5, total - 1)
    assert (refused(ahead), ahead.headers["upload-offset"]) == ((409, "upload_conflict"), str(half))
    assert put(10, half + 99).json()["offset"] == half + 100  # a part sent again is passed over
    assert refused(put(half + 100, total - 1, b"short")) == (400, "bad_body")
    assert client.head(path).headers["upload-offset"] == str(half + 105)
    bad = put(half + 105, total - 1, bytes(total - half - 105))
    assert refused(bad) == (422, "artifact_damaged")
    assert client.head(path).headers["upload-offset"] == "0"
    assert client.put(path, content=data).json()["offset"] == total
    published = client.post(f"/tasks/{task}/versions?upload={name}")
    assert (published.status_code, answering(client, task)) == (201, 1)
    assert client.head(path).headers["upload-offset"] == "0"
    assert refused(client.put(path, content=b"", headers={"Content-Range": "bytes 9-1/3"})) == (
        400,
        "bad_body",
    )
    assert refused(client.put(f"/tasks/{task}/uploads/{name.upper()}", content=b"x")) == (400, "bad_query")


def test_a_label_moves_on_a_condition(client: httpx.Client, task: str, tars: list[bytes]) -> None:
    for data in tars:
        publish(client, task, data)
    path = f"/tasks/{task}/labels/stable"
    seen = client.get(path)
    assert seen.json() | {"etag": ""} == {
        "label": "stable", "version": 3, "previous": [2, 1], "traffic": None, "thresholds": None, "etag": "",
    }  # fmt: skip
    moved = client.put(path, json={"version": 1}, headers={"If-Match": seen.headers["etag"]})
    assert (moved.status_code, moved.json()["version"], answering(client, task)) == (200, 1, 1)
    late = client.put(path, json={"version": 2}, headers={"If-Match": seen.headers["etag"]})
    assert refused(late) == (412, "label_moved")
    assert (late.json()["version"], late.headers["etag"]) == (1, moved.headers["etag"])
    assert refused(client.delete(path, headers={"If-Match": '"x"'})) == (412, "label_moved")
    assert refused(client.put(path, json={"version": 2}, headers={"If-None-Match": "*"})) == (
        412,
        "label_moved",
    )
    assert answering(client, task) == 1
    new = f"/tasks/{task}/labels/canary"
    assert client.put(new, json={"version": 2}, headers={"If-None-Match": "*"}).status_code == 200
    assert answering(client, task, "?label=canary") == 2
    assert refused(client.put(path, json={"version": 9})) == (404, "version_not_found")
    assert refused(client.put(path, json={"version": 1, "force": True})) == (400, "bad_body")
    assert refused(client.put(path, content=b"{")) == (400, "bad_body")
    assert refused(client.put(path, json={"version": 1}, headers={"If-Match": "x"})) == (400, "bad_request")
    assert refused(client.put(f"/tasks/{task}/labels/3", json={"version": 1})) == (400, "invalid_name")
    listed = client.get(f"/tasks/{task}/labels").json()["labels"]
    assert [each["label"] for each in listed] == ["canary", "stable"]


def test_of_two_who_saw_the_same_label_one_moves_it(
    client: httpx.Client, task: str, tars: list[bytes]
) -> None:
    for data in tars:
        publish(client, task, data)
    path = f"/tasks/{task}/labels/stable"
    etag = client.get(path).headers["etag"]

    def move(version: int) -> int:
        return client.put(path, json={"version": version}, headers={"If-Match": etag}).status_code

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(move, (1, 2))) == [200, 412]
    assert answering(client, task) == client.get(path).json()["version"]


def test_a_label_is_rolled_back_and_removed(client: httpx.Client, task: str, tars: list[bytes]) -> None:
    for data in tars[:2]:
        publish(client, task, data)
    path = f"/tasks/{task}/labels/stable"
    assert client.post(f"{path}/rollback").json()["version"] == 1
    assert answering(client, task) == 1
    assert refused(client.post(f"{path}/rollback")) == (409, "store_conflict")
    client.put(f"/tasks/{task}/labels/old", json={"version": 1})
    assert client.delete(f"/tasks/{task}/labels/old").status_code == 204
    assert answering(client, task, "?label=old") == "label_not_found"
    assert refused(client.delete(f"/tasks/{task}/labels/old")) == (404, "label_not_found")


def test_a_version_and_a_task_are_deleted(client: httpx.Client, task: str, tars: list[bytes]) -> None:
    for data in tars[:2]:
        publish(client, task, data)
    one = f"/tasks/{task}/versions"
    assert refused(client.delete(f"{one}/2")) == (409, "store_conflict")
    assert refused(client.delete(f"{one}/2?force=maybe")) == (400, "bad_query")
    assert client.delete(f"{one}/1").status_code == 204
    assert answering(client, task, "?version=1") == "version_not_found"
    assert refused(client.delete(f"{one}/1")) == (404, "version_not_found")
    assert refused(client.delete(f"/tasks/{task}")) == (409, "store_conflict")
    assert client.delete(f"{one}/2?force=true").status_code == 204
    assert answering(client, task) == "task_not_found"
    publish(client, task, tars[0])
    assert answering(client, task) == 3
    assert client.delete(f"/tasks/{task}?force=true").status_code == 204
    assert refused(client.get(f"/tasks/{task}")) == (404, "task_not_found")


def test_a_task_is_pinned(client: httpx.Client, task: str, tars: list[bytes]) -> None:
    publish(client, task, tars[0])
    place = client.get(f"/tasks/{task}").json()["versions"][0]["place"]
    assert place == "store"
    assert client.put(f"/tasks/{task}/pin").json()["label"] == "pinned"
    assert client.get(f"/tasks/{task}").json()["versions"][0]["place"] == "slot"
    assert refused(client.put(f"/tasks/{task}/pin", json={"version": 9})) == (404, "version_not_found")
    assert client.delete(f"/tasks/{task}/pin").status_code == 204
    assert refused(client.delete(f"/tasks/{task}/pin")) == (404, "label_not_found")


def test_what_others_changed_is_taken_in_when_asked(
    client: httpx.Client, task: str, module_store: Store, make_artifact: MakeArtifact
) -> None:
    module_store.publish(task, make_artifact(1))
    assert answering(client, task) == "task_not_found"
    assert client.post(f"/tasks/{task}/refresh").json()["versions"] == [1]
    assert answering(client, task) == 1
    module_store.publish(f"{task}-b", make_artifact(1))
    refreshed = client.post("/refresh")
    assert (refreshed.status_code, refreshed.json()["complete"]) == (200, True)
    assert answering(client, f"{task}-b") == 1
    assert refused(client.post("/tasks/none/refresh")) == (404, "task_not_found")


def test_requests_flow_while_versions_are_published(
    client: httpx.Client, task: str, tars: list[bytes]
) -> None:
    publish(client, task, tars[0])
    over = threading.Event()
    answers: list[Any] = []

    def ask() -> None:
        while not over.is_set():
            answers.append(answering(client, task))

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    for turn in range(12):
        publish(client, task, tars[turn % 3])
        client.post(f"/tasks/{task}/labels/stable/rollback")
    over.set()
    for asker in askers:
        asker.join()
    assert len(answers) > 20
    assert set(answers) <= {1, 2, 3}


def test_each_change_that_was_asked_for_is_a_line(
    client: httpx.Client, task: str, tars: list[bytes], audit: Path
) -> None:
    publish(client, task, tars[0], **{"X-Request-Id": "mine"})
    client.put(f"/tasks/{task}/labels/canary", json={"version": 7})
    client.get(f"/tasks/{task}/labels")
    answering(client, task)
    lines = [json.loads(line) for line in audit.read_text().splitlines()]
    first, second = (line for line in lines if line["task"] == task)
    assert first["when"].endswith("+00:00")
    assert {name: first[name] for name in ("who", "action", "result", "version", "label", "request_id")} == {
        "who": "insecure", "action": "publish_version", "result": "done", "version": 1, "label": "stable",
        "request_id": "mine",
    }  # fmt: skip
    assert {name: second[name] for name in ("action", "result", "version", "label", "client")} == {
        "action": "set_label", "result": "version_not_found", "version": 7, "label": "canary",
        "client": "127.0.0.1",
    }  # fmt: skip


def keys_command(file: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "service.access.cli", "--keys", str(file), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_with_keys_and_signatures(
    empty_store: Store, serve: Serve, tmp_path: Path, tars: list[bytes], files: list[dict[str, bytes]]
) -> None:
    """A revoked key with an upload under way, unsigned adapters, and who was refused."""
    key = Ed25519PrivateKey.generate()
    private, public = tmp_path / "sign.pem", tmp_path / "trusted.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    signature = Signer.open(private).sign("pets", files[0][CONFIG_FILE])
    signed = tar_of({SIGNATURE_FILE: signature, **files[0]})
    keys, audit = tmp_path / "keys.json", tmp_path / "audit.jsonl"
    admin, asker = (keys_command(keys, "create", name, "--scope", name) for name in ("admin", "classify"))
    flags = [f"--keys={keys}", f"--trusted-keys={public}", f"--audit={audit}"]
    flags += [f"--uploads={tmp_path / 'up'}", "--upload-timeout-ms=120000"]
    with serve(empty_store, *ALONE, *flags) as server, httpx.Client(base_url=f"{server.url}/v1") as client:

        def send(data: Any, key: str | None, task: str = "pets") -> httpx.Response:
            headers = TAR | ({"X-API-Key": key} if key else {})
            return client.post(f"/tasks/{task}/versions", content=data, headers=headers)

        assert refused(send(tars[0], admin)) == (422, "artifact_unsigned")
        assert refused(send(signed, admin, "cats")) == (422, "artifact_unsigned")
        assert send(signed, admin).status_code == 201
        page = client.get("/tasks/pets/versions/1", headers={"X-API-Key": asker}).json()
        assert page["signature"]["state"] == "trusted"
        asked = client.post("/tasks/pets/classify", content=plain_png(3), headers={"X-API-Key": asker})
        assert asked.json()["version"] == 1
        assert refused(send(signed, asker)) == (403, "not_allowed")
        assert refused(send(signed, None)) == (401, "unauthenticated")

        def slowly() -> Iterator[bytes]:
            yield signed[:1000]
            keys_command(keys, "revoke", admin.split("_")[1])
            server.wait_logged(r" keys_read keys=2 valid=1")
            yield signed[1000:]

        assert refused(send(slowly(), admin)) == (401, "unauthenticated")
        lines = [json.loads(line) for line in audit.read_text().splitlines()]
        ids = {"admin": admin.split("_")[1], "classify": asker.split("_")[1]}
        assert [(line["who"], line["result"]) for line in lines] == [
            (ids["admin"], "artifact_unsigned"),
            (ids["admin"], "artifact_unsigned"),
            (ids["admin"], "done"),
            (ids["classify"], "not_allowed"),
            ("unknown", "unauthenticated"),
            (ids["admin"], "unauthenticated"),
        ]


def test_all_workers_answer_with_what_one_published(
    empty_store: Store, serve: Serve, tars: list[bytes], tmp_path: Path
) -> None:
    flags = ("--workers=2", f"--uploads={tmp_path / 'up'}", "--watch-interval-s=0.05")
    with serve(empty_store, *flags) as server:
        server.wait_logged(r" ready workers=2")
        name, half = hashlib.sha256(tars[0]).hexdigest(), len(tars[0]) // 2
        path = f"{server.url}/v1/tasks/pets/uploads/{name}"
        for first, last in ((0, half - 1), (half, len(tars[0]) - 1)):  # each on a connection of its own
            header = {"Content-Range": f"bytes {first}-{last}/{len(tars[0])}"}
            assert httpx.put(path, content=tars[0][first : last + 1], headers=header).status_code == 200
        published = httpx.post(f"{server.url}/v1/tasks/pets/versions?upload={name}", timeout=60)
        assert published.status_code == 201

        def ready() -> bool:
            shown = httpx.get(f"{server.url}/v1/tasks/pets")
            return shown.status_code == 200 and shown.json()["replicas"]["ready"] == 2

        wait_until(ready, "both workers to have the task")


def test_a_trail_that_cannot_be_written_refuses_the_start(
    empty_store: Store, start: Any, tmp_path: Path
) -> None:
    refused_start = start(empty_store, f"--audit={tmp_path / 'none' / 'audit.jsonl'}")
    assert refused_start.process.wait(120) == 2
    refused_start.end()
    assert "audit.jsonl cannot be written: No such file or directory" in refused_start.log[-1]
