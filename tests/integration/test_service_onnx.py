"""`dvpt-serve --engine onnx`: a real process answers as torch does, hot-loads, and exports once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.linear.options import LinearOptions
from adapters.pictures.preprocess import to_pixels
from adapters.store.artifact import Artifact, adapter_of
from adapters.store.store import Store
from adapters.vit.backbone import Backbone
from tests.support.artifacts import MakeArtifact
from tests.support.pictures import encoded, noise
from tests.support.server import Serve, Server, Start
from tests.support.waiting import wait_until

TASKS: dict[str, dict[str, Any]] = {
    "deep": {"class_count": 5, "options": DvptOptions()},
    "vpt": {"class_count": 7, "options": DvptOptions(meta_net="none")},
    "many-classes": {"class_count": 200, "options": DvptOptions(dynamic_layers="all")},
    "shallow": {"class_count": 3, "options": DvptOptions(count=3, deep=False, meta_net="specific")},
    "linear": {"class_count": 10, "options": LinearOptions()},
}
ROUNDS = 20


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exported graphs, kept between the processes of this module."""
    return tmp_path_factory.mktemp("graphs")


@pytest.fixture(scope="module")
def artifacts(make_artifact: MakeArtifact) -> dict[str, Artifact]:
    return {task: make_artifact(seed, **chosen) for seed, (task, chosen) in enumerate(TASKS.items())}


@pytest.fixture(scope="module")
def server(
    module_store: Store, artifacts: dict[str, Artifact], serve: Serve, cache: Path
) -> Iterator[Server]:
    for task, artifact in artifacts.items():
        module_store.publish(task, artifact)
    with serve(module_store, "--engine=onnx", f"--onnx-cache={cache}") as started:
        yield started


def png(seed: int) -> bytes:
    return encoded(noise(seed, (90, 70)))


def ask(url: str, task: str, pictures: list[bytes]) -> list[np.ndarray[Any, Any]]:
    files = [("images", (f"{index}.png", data, "image/png")) for index, data in enumerate(pictures)]
    response = httpx.post(f"{url}/v1/tasks/{task}/classify?top_k=1000", files=files, timeout=60)
    rows = [row["classes"] for row in response.raise_for_status().json()["predictions"]]
    ordered = [sorted(row, key=lambda each: each["index"]) for row in rows]
    return [np.array([each["probability"] for each in row]) for row in ordered]


def assert_answers(
    rows: list[np.ndarray[Any, Any]], pictures: list[bytes], artifact: Artifact, backbone: Backbone
) -> None:
    adapter = adapter_of(artifact, backbone.config)
    for row, picture in zip(rows, pictures, strict=True):
        pixels = to_pixels(picture, artifact.config.preprocess, backbone.config.image_size)
        np.testing.assert_allclose(row, adapter(backbone, pixels[None]).softmax(-1)[0].numpy(), atol=1e-4)


def test_an_answer_is_explained_here_too(server: Server) -> None:
    answer = httpx.post(f"{server.url}/v1/tasks/deep/classify?explain=true", content=png(1), timeout=60)

    told = answer.raise_for_status().json()["predictions"][0]["explanation"]
    assert max(map(max, told["weights"])) == 1.0


def test_mixed_batches_are_answered_as_torch_would(
    server: Server, artifacts: dict[str, Artifact], served_backbone: Backbone
) -> None:
    pictures = {task: [png(100 * seed + row) for row in range(3)] for seed, task in enumerate(TASKS)}
    with ThreadPoolExecutor(len(TASKS)) as clients:
        for _ in range(ROUNDS):  # until a batch has held pictures of more than one task
            waiting = {task: clients.submit(ask, server.url, task, pictures[task]) for task in TASKS}
            answers = {task: answer.result() for task, answer in waiting.items()}
            metrics = server.metrics()
            if metrics["dvpt_batch_tasks_sum"] > metrics["dvpt_batch_tasks_count"]:
                break
    assert metrics["dvpt_batch_tasks_sum"] > metrics["dvpt_batch_tasks_count"]
    for task, rows in answers.items():
        assert_answers(rows, pictures[task], artifacts[task], served_backbone)
    assert metrics['dvpt_engine_info{device="cpu",engine="onnx",precision="fp32"}'] == 1


def test_a_new_task_of_a_new_layout_is_served_without_a_restart(
    server: Server, module_store: Store, make_artifact: MakeArtifact, served_backbone: Backbone
) -> None:
    artifact = make_artifact(50, 4, DvptOptions(count=2, meta_input="token", meta_norm=True))
    exported = sum(" graph_exported " in line for line in server.log)

    module_store.publish("newcomer", artifact)
    newcomer = f"{server.url}/v1/tasks/newcomer"
    wait_until(lambda: httpx.get(newcomer).status_code == 200, "the new task is known")

    assert_answers(ask(server.url, "newcomer", [png(1)]), [png(1)], artifact, served_backbone)
    assert exported == sum(" graph_exported " in line for line in server.log) == 2


def test_an_export_does_not_flood_the_log(server: Server) -> None:
    server.wait_logged(r" graph_exported ")
    assert [line for line in server.log if "onnx_ir" in line] == []


def test_a_restart_exports_nothing(server: Server, module_store: Store, serve: Serve, cache: Path) -> None:
    assert server.url
    with serve(module_store, "--engine=onnx", f"--onnx-cache={cache}") as again:
        again.wait_logged(r" engine engine=onnx .*precision=float32")
        assert [line for line in again.log if "graph_exported" in line] == []
        assert len(ask(again.url, "deep", [png(1)])) == 1


def test_what_onnx_runtime_cannot_do_is_refused_at_once(module_store: Store, start: Start) -> None:
    refused = start(module_store, "--engine=onnx", "--precision=bf16")

    assert refused.process.wait(120) == 2
    refused.end()
    assert "computes in fp32 on cpu, not in bf16" in refused.log[-1]
