"""Asked by the command `mlserver infer`, which needs other versions of what is installed here.

DVPT_MLSERVER names that command in an environment of its own: `pip install mlserver`.
"""

import base64
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.server import Server


def request(picture: bytes) -> str:
    """A line of its file of requests: a data URL says what it is, as text and in `--binary-data`."""
    text = f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"
    return json.dumps({"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": [text]}]})


@pytest.mark.parametrize("flags", [[], ["--binary-data"], ["--batch-size=3", "--workers=2"]])
def test_mlserver_s_command(
    server: Server, pictures: list[bytes], expected: NDArray[np.float32], tmp_path: Path, flags: list[str]
) -> None:
    command = os.environ.get("DVPT_MLSERVER")
    if command is None:
        pytest.skip("DVPT_MLSERVER names no command of MLServer")
    asked, answered = tmp_path / "asked.jsonl", tmp_path / "answered.jsonl"
    asked.write_text("".join(f"{request(picture)}\n" for picture in pictures))

    paths = [f"--input-data-path={asked}", f"--output-data-path={answered}"]
    url = f"--url=127.0.0.1:{server.port}"
    subprocess.run(
        [command, "infer", url, "--model-name=flowers", *paths, *flags],
        check=True,
        capture_output=True,
        timeout=120,
    )

    answers = [json.loads(line) for line in answered.read_text().splitlines()]
    answers.sort(key=lambda answer: int(answer["parameters"]["batch_index"]))
    rows = [answer["outputs"][0]["data"] for answer in answers]
    np.testing.assert_allclose(rows, expected, atol=1e-4)
