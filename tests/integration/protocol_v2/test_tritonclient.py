"""Asked by Triton's HTTP clients, sync and asyncio; they come with the extra `protocol`."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from adapters.store.artifact import Artifact
from adapters.vit.backbone import Backbone
from tests.support.server import Server

triton = pytest.importorskip("tritonclient.http", reason="the extra `protocol` is not installed")
triton_aio = pytest.importorskip("tritonclient.http.aio")
InferenceServerException = triton.InferenceServerException

TASK, SIZE = "flowers", 64


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Any]:
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
        yield client


def encoded_input(pictures: Sequence[bytes], *, wide: bool = False) -> Any:
    values = np.array(pictures, dtype=object).reshape((-1, 1) if wide else (-1,))
    given = triton.InferInput("image", list(values.shape), "BYTES")
    given.set_data_from_numpy(values)
    return given


def tensor(values: NDArray[Any], datatype: str, *, binary: bool = True) -> Any:
    given = triton.InferInput("image", list(values.shape), datatype)
    given.set_data_from_numpy(np.ascontiguousarray(values), binary_data=binary)
    return given


def test_health_and_metadata(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(TASK)
    assert client.is_model_ready(TASK, "1")
    assert not client.is_model_ready(TASK, "2")
    assert not client.is_model_ready("none")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    metadata = client.get_model_metadata(TASK)
    assert (metadata["name"], metadata["versions"]) == (TASK, ["1"])
    assert metadata["inputs"] == [{"name": "image", "datatype": "UINT8", "shape": [-1, 3, SIZE, SIZE]}]
    assert metadata["outputs"] == [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 5]}]


def test_the_configuration_has_the_labels(client: Any, artifact: Artifact) -> None:
    config = client.get_model_config(TASK, "1")
    labels = json.loads(config["parameters"]["labels"]["string_value"])
    assert labels == list(artifact.config.classes)
    assert config["max_batch_size"] == 64
    assert config["input"][0]["dims"] == [3, SIZE, SIZE]


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
def test_encoded_pictures(
    client: Any, pictures: list[bytes], expected: NDArray[np.float32], compression: str | None, *, wide: bool
) -> None:
    answer = client.infer(
        TASK,
        [encoded_input(pictures, wide=wide)],
        request_id="mine",
        request_compression_algorithm=compression,
        response_compression_algorithm=compression,
    )
    np.testing.assert_allclose(answer.as_numpy("probabilities"), expected, atol=1e-4)
    response = answer.get_response()
    assert (response["id"], response["model_name"], response["model_version"]) == ("mine", TASK, "1")


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("channels_last", [False, True])
def test_pixels(
    client: Any,
    pixels: NDArray[np.uint8],
    expected: NDArray[np.float32],
    *,
    binary: bool,
    channels_last: bool,
) -> None:
    values = pixels.transpose(0, 2, 3, 1) if channels_last else pixels
    answer = client.infer(TASK, [tensor(values, "UINT8", binary=binary)], model_version="1")
    np.testing.assert_allclose(answer.as_numpy("probabilities"), expected, atol=1e-4)


@pytest.mark.parametrize("binary", [False, True])
def test_normalised_pixels(
    client: Any,
    pixels: NDArray[np.uint8],
    served_backbone: Backbone,
    expected: NDArray[np.float32],
    *,
    binary: bool,
) -> None:
    told = client.get_model_metadata(TASK)["parameters"]
    mean, std = (np.array(json.loads(told[name]), np.float32)[:, None, None] for name in ("mean", "std"))
    values = ((pixels / 255 - mean) / std).astype(np.float32)
    answer = client.infer(TASK, [tensor(values, "FP32", binary=binary)])
    np.testing.assert_allclose(answer.as_numpy("probabilities"), expected, atol=1e-4)
    assert tuple(mean.ravel()) == pytest.approx(served_backbone.config.mean)


def test_outputs_that_are_asked_for(
    client: Any, pictures: list[bytes], artifact: Artifact, expected: NDArray[np.float32]
) -> None:
    wanted = [
        triton.InferRequestedOutput("label", binary_data=False),
        triton.InferRequestedOutput("probabilities", binary_data=True),
    ]
    answer = client.infer(TASK, [encoded_input(pictures)], outputs=wanted)
    labels = [artifact.config.classes[index] for index in expected.argmax(1)]
    assert answer.as_numpy("label").tolist() == labels
    np.testing.assert_allclose(answer.as_numpy("probabilities"), expected, atol=1e-4)
    assert "parameters" not in answer.get_output("label")


def test_as_the_image_client_asks(client: Any, files: list[Path], artifact: Artifact) -> None:
    """It takes input, size and order from the metadata, resizes by itself, and asks for classes by text."""
    metadata, config = client.get_model_metadata(TASK), client.get_model_config(TASK)
    [given], [output], [layout] = metadata["inputs"], metadata["outputs"], config["input"]
    assert (layout["format"], config["max_batch_size"] > 0) == ("FORMAT_NCHW", True)
    _, channels, height, width = given["shape"]
    assert channels == 3
    resized = [
        np.array(Image.open(file).convert("RGB").resize((width, height), Image.Resampling.BILINEAR))
        for file in files
    ]
    values = np.stack(resized).transpose(0, 3, 1, 2)
    wanted = triton.InferRequestedOutput(output["name"], class_count=3)

    answer = client.infer(TASK, [tensor(values, given["datatype"])], outputs=[wanted])
    every = client.infer(TASK, [tensor(values, given["datatype"])]).as_numpy(output["name"])

    texts = answer.as_numpy(output["name"])
    assert texts.shape == (len(files), 3)
    for row, told in zip(every, texts, strict=True):
        order = np.argsort(-row, kind="stable")[:3]
        assert [text.decode().split(":", 2)[1:] for text in told] == [
            [str(index), artifact.config.classes[index]] for index in order
        ]
        np.testing.assert_allclose([float(text.split(b":")[0]) for text in told], row[order], atol=1e-4)


def test_many_requests_at_once(client: Any, server: Server, pictures: list[bytes]) -> None:
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}", concurrency=8) as many:
        waiting = [many.async_infer(TASK, [encoded_input([each])]) for each in pictures * 4]
        rows = [each.get_result().as_numpy("probabilities")[0] for each in waiting]
    alone = [client.infer(TASK, [encoded_input([each])]).as_numpy("probabilities")[0] for each in pictures]
    np.testing.assert_allclose(rows, alone * 4, atol=1e-4)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_asynchronous_client(
    server: Server, pictures: list[bytes], expected: NDArray[np.float32]
) -> None:
    client = triton_aio.InferenceServerClient(f"127.0.0.1:{server.port}")
    try:
        assert await client.is_server_ready()
        assert (await client.get_model_metadata(TASK))["name"] == TASK
        answer = await client.infer(TASK, [encoded_input(pictures)])
    finally:
        await client.close()
    np.testing.assert_allclose(answer.as_numpy("probabilities"), expected, atol=1e-4)


def test_errors_say_what_is_wrong(client: Any, pictures: list[bytes]) -> None:
    with pytest.raises(InferenceServerException) as unknown:
        client.infer("none", [encoded_input(pictures)])
    assert (unknown.value.status(), unknown.value.message()) == ("404", "there is no task 'none'")
    with pytest.raises(InferenceServerException, match="no version 7") as version:
        client.infer(TASK, [encoded_input(pictures)], model_version="7")
    assert version.value.status() == "404"
    with pytest.raises(InferenceServerException, match="picture 1: "):
        client.infer(TASK, [encoded_input([pictures[0], b"no picture"])])
    output = triton.InferRequestedOutput("logits")
    with pytest.raises(InferenceServerException, match="there is no output 'logits'") as refused:
        client.infer(TASK, [encoded_input(pictures)], outputs=[output])
    assert refused.value.status() == "400"


def test_a_timeout_is_in_microseconds(client: Any, pictures: list[bytes]) -> None:
    with pytest.raises(InferenceServerException, match="no answer within 1 ms") as late:
        client.infer(TASK, [encoded_input(pictures * 10)], timeout=900)
    assert late.value.status() == "504"
    assert client.infer(TASK, [encoded_input(pictures)], timeout=60_000_000)


def test_statistics_count(client: Any, pictures: list[bytes]) -> None:
    [before] = client.get_inference_statistics(TASK, "1")["model_stats"]
    client.infer(TASK, [encoded_input(pictures)])
    with pytest.raises(InferenceServerException):
        client.infer(TASK, [encoded_input([b"no picture"])])
    [after] = client.get_inference_statistics(TASK)["model_stats"]
    assert after["inference_count"] - before["inference_count"] == len(pictures)
    assert after["execution_count"] - before["execution_count"] == 1
    counts = {
        name: each["count"] - before["inference_stats"][name]["count"]
        for name, each in after["inference_stats"].items()
    }
    assert (counts["success"], counts["fail"], counts["compute_infer"]) == (1, 1, 1)
    assert after["inference_stats"]["compute_infer"]["ns"] > before["inference_stats"]["compute_infer"]["ns"]
    assert (TASK, "1") in [
        (each["name"], each["version"]) for each in client.get_inference_statistics()["model_stats"]
    ]


def test_a_task_is_loaded_and_unloaded(client: Any, pictures: list[bytes]) -> None:
    def state() -> list[tuple[str, str, str]]:
        return [
            (each["name"], each["version"], each["state"]) for each in client.get_model_repository_index()
        ]

    client.load_model(TASK)
    assert state() == [(TASK, "1", "READY")]
    client.unload_model(TASK)
    assert state() == [(TASK, "1", "UNAVAILABLE")]
    client.load_model(TASK)
    assert state() == [(TASK, "1", "READY")]
    client.unload_model(TASK)
    assert client.infer(TASK, [encoded_input(pictures)])  # a request reads it as well
    assert state() == [(TASK, "1", "READY")]
    with pytest.raises(InferenceServerException, match="no task 'none'"):
        client.load_model("none")
    with pytest.raises(InferenceServerException, match=r"unknown key 'parameters\.config'"):
        client.load_model(TASK, config="{}")
