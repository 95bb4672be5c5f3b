"""Answers over HTTP equal the offline reference forward, in every form a request can have."""

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
import torch

from adapters.config import PreprocessConfig
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.linear.options import LinearOptions
from adapters.pictures.preprocess import to_pixels
from adapters.store.artifact import Artifact, adapter_of
from adapters.store.store import Store
from adapters.vit.backbone import Backbone
from service.explain.occlusion import covered, weights
from tests.support.artifacts import MakeArtifact
from tests.support.pictures import encoded, noise
from tests.support.server import Serve

TASKS: dict[str, dict[str, Any]] = {
    "deep": {"class_count": 5, "options": DvptOptions()},
    "many-classes": {"class_count": 200, "options": DvptOptions()},
    "shallow": {"class_count": 3, "options": DvptOptions(count=3, deep=False, meta_net="specific")},
    "linear": {"class_count": 10, "options": LinearOptions()},
    "cropped": {"class_count": 4, "preprocess": PreprocessConfig(fit="crop", interpolation="bilinear")},
}


@pytest.fixture(scope="module")
def artifacts(make_artifact: MakeArtifact) -> dict[str, Artifact]:
    return {task: make_artifact(seed, **chosen) for seed, (task, chosen) in enumerate(TASKS.items())}


@pytest.fixture(scope="module")
def client(
    module_store: Store,
    artifacts: dict[str, Artifact],
    serve: Serve,
) -> Iterator[httpx.Client]:
    for task, artifact in artifacts.items():
        module_store.publish(task, artifact)
    with serve(module_store) as server, httpx.Client(base_url=server.url, timeout=60) as made:
        yield made


def jpeg(seed: int, size: tuple[int, int] = (80, 60)) -> bytes:
    picture = noise(seed, size)
    return encoded(picture.resize((size[0] * 2, size[1] * 2)), "JPEG", quality=90)


def reference(artifact: Artifact, backbone: Backbone, picture: bytes) -> np.ndarray[Any, Any]:
    pixels = to_pixels(picture, artifact.config.preprocess, backbone.config.image_size)
    logits = adapter_of(artifact, backbone.config)(backbone, pixels[None])
    return np.asarray(logits.softmax(-1)[0].numpy())


def probabilities(prediction: dict[str, Any]) -> np.ndarray[Any, Any]:
    ordered = sorted(prediction["classes"], key=lambda each: each["index"])
    return np.array([each["probability"] for each in ordered])


@pytest.mark.parametrize("task", TASKS)
def test_every_kind_of_adapter_answers_as_it_does_offline(
    task: str, client: httpx.Client, artifacts: dict[str, Artifact], served_backbone: Backbone
) -> None:
    picture, artifact = jpeg(1), artifacts[task]

    response = client.post(
        f"/v1/tasks/{task}/classify?top_k=1000", content=picture, headers={"content-type": "image/jpeg"}
    )

    answer = response.raise_for_status().json()
    expected = reference(artifact, served_backbone, picture)
    np.testing.assert_allclose(probabilities(answer["predictions"][0]), expected, atol=1e-4)
    assert (answer["task"], answer["version"]) == (task, 1)
    assert answer["digest"] == artifact.config.tensors_sha256
    assert set(answer["timing"]) == {"decode_ms", "queue_ms", "inference_ms"}
    shown = [each["probability"] for each in answer["predictions"][0]["classes"]]
    assert shown == sorted(shown, reverse=True)


def test_the_three_forms_of_a_request_give_the_same_answer(client: httpx.Client) -> None:
    pictures, path = [jpeg(seed) for seed in range(3)], "/v1/tasks/deep/classify"

    raw = [client.post(path, content=data, headers={"content-type": "image/jpeg"}) for data in pictures]
    form = client.post(path, files=[("images", ("x.jpg", data, "image/jpeg")) for data in pictures])
    encoded = [base64.b64encode(data).decode() for data in pictures]
    json = client.post(path, json={"images": encoded})
    untyped = client.post(path, content=pictures[0], headers={"content-type": "application/octet-stream"})

    def rows(*responses: httpx.Response) -> list[Any]:
        return [
            probabilities(row)
            for response in responses
            for row in response.raise_for_status().json()["predictions"]
        ]

    np.testing.assert_allclose(rows(form), rows(*raw), atol=1e-4)
    np.testing.assert_allclose(rows(json), rows(*raw), atol=1e-4)
    np.testing.assert_allclose(rows(untyped), rows(raw[0]), atol=1e-4)


@pytest.mark.parametrize("task", ["deep", "cropped"])
def test_an_explanation_is_what_covering_parts_of_the_picture_takes_from_the_answer(
    task: str, client: httpx.Client, artifacts: dict[str, Artifact], served_backbone: Backbone
) -> None:
    picture, artifact = jpeg(4), artifacts[task]
    pixels = to_pixels(picture, artifact.config.preprocess, served_backbone.config.image_size)
    adapter = adapter_of(artifact, served_backbone.config)
    with torch.inference_mode():
        rows = adapter(served_backbone, torch.stack([pixels, *covered(pixels)])).softmax(-1).numpy()

    plain = client.post(f"/v1/tasks/{task}/classify?top_k=1000", content=picture).raise_for_status().json()
    answer = client.post(f"/v1/tasks/{task}/classify?explain=true&top_k=1000", content=picture).json()

    (told,) = answer["predictions"]
    expected = weights(rows[0], list(rows[1:]))
    assert "explanation" not in plain["predictions"][0]
    np.testing.assert_allclose(probabilities(told), probabilities(plain["predictions"][0]), atol=1e-4)
    np.testing.assert_allclose(told["explanation"]["weights"], expected, atol=2e-3)
    assert told["explanation"]["fit"] == artifact.config.preprocess.fit


def test_a_large_json_body_answers_too(client: httpx.Client) -> None:
    picture = jpeg(2, (600, 500))
    assert len(picture) > 65_536

    response = client.post(
        "/v1/tasks/deep/classify", json={"images": [base64.b64encode(picture).decode()] * 2}
    )

    first, second = response.raise_for_status().json()["predictions"]
    np.testing.assert_allclose(probabilities(first), probabilities(second), atol=1e-4)


def test_a_chunked_body_answers(client: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        data = jpeg(3)
        yield data[:100]
        yield data[100:]

    response = client.post(
        "/v1/tasks/deep/classify", content=chunks(), headers={"content-type": "image/jpeg"}
    )

    assert response.status_code == 200


def test_top_k_cuts_the_list(client: httpx.Client) -> None:
    answer = client.post("/v1/tasks/many-classes/classify?top_k=2", content=jpeg(4)).json()

    assert len(answer["predictions"][0]["classes"]) == 2


def test_by_default_five_classes_are_told(client: httpx.Client) -> None:
    answer = client.post("/v1/tasks/many-classes/classify", content=jpeg(4)).json()

    assert len(answer["predictions"][0]["classes"]) == 5


def test_tasks_are_listed_and_described(client: httpx.Client, artifacts: dict[str, Artifact]) -> None:
    listed = client.get("/v1/tasks").raise_for_status().json()["tasks"]
    shown = client.get("/v1/tasks/shallow").raise_for_status().json()

    assert [each["task"] for each in listed] == sorted(TASKS)
    assert listed[0]["labels"] == listed[0]["serving"] == {"stable": 1}
    config = artifacts["shallow"].config
    assert shown["serving"] == {"stable": {"version": 1, "digest": config.tensors_sha256}}
    assert shown["classes"] == list(config.classes)
    (version,) = shown["versions"]
    assert (version["version"], version["state"], version["place"]) == (1, "ready", "slot")
    assert shown["replicas"] == {"all": 1, "ready": 1, "serving": {"stable": {"1": 1}}}


def test_the_list_of_tasks_has_pages(client: httpx.Client) -> None:
    names, page = list[str](), client.get("/v1/tasks?limit=2").raise_for_status().json()
    while "next" in page:
        assert page["next"] == page["tasks"][-1]["task"]
        names += [each["task"] for each in page["tasks"]]
        page = client.get("/v1/tasks", params={"limit": 2, "after": page["next"]}).raise_for_status().json()
    assert [*names, *(each["task"] for each in page["tasks"])] == sorted(TASKS)
    found = client.get("/v1/tasks?prefix=many&search=classes").json()
    assert ([each["task"] for each in found["tasks"]], "next" in found) == (["many-classes"], False)
    refused = client.get("/v1/tasks?page=2")
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_query")


def test_health_readiness_and_documentation(client: httpx.Client) -> None:
    assert client.get("/healthz").json()["status"] == "ok"
    assert client.get("/readyz").json()["status"] == "ready"
    assert client.get("/docs").status_code == 200
    openapi = client.get("/openapi.json").raise_for_status().json()
    classify = openapi["paths"]["/v1/tasks/{task}/classify"]["post"]
    assert set(classify["requestBody"]["content"]) >= {
        "image/jpeg",
        "multipart/form-data",
        "application/json",
    }
    assert {"400", "404", "413", "415", "422", "429", "503", "504"} <= set(classify["responses"])
    assert "ProblemDetail" in openapi["components"]["schemas"]


def test_metrics_are_prometheus_s(client: httpx.Client) -> None:
    client.post("/v1/tasks/deep/classify", content=jpeg(5)).raise_for_status()
    client.post("/v1/tasks/made-up-by-a-client/classify", content=jpeg(5))

    response = client.get("/metrics")

    assert response.headers["content-type"].startswith("text/plain; version=")
    assert 'dvpt_requests_total{code="ok",task="deep"}' in response.text
    assert 'dvpt_requests_total{code="task_not_found",task="unknown"}' in response.text
    assert "made-up" not in response.text
