"""Asked by KServe's REST client, which needs other versions of what is installed here.

DVPT_KSERVE names the Python of an environment of its own: `pip install kserve`.
"""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from adapters.store.artifact import Artifact
from tests.support.server import Server

CLIENT = Path(__file__).resolve().parents[2] / "support/kserve_client.py"


def test_kserve_s_client(
    server: Server, files: list[Path], artifact: Artifact, expected: NDArray[np.float32]
) -> None:
    python = os.environ.get("DVPT_KSERVE")
    if python is None:
        pytest.skip("DVPT_KSERVE names no Python that has kserve")
    ran = subprocess.run(
        [python, CLIENT, server.url, *files], check=True, capture_output=True, text=True, timeout=120
    )

    told = json.loads(ran.stdout)
    assert (told["live"], told["ready"], told["model"], told["none"]) == (True, True, True, False)
    for name in ("text", "binary", "both"):
        identity, rows = told[name]
        assert identity == name
        np.testing.assert_allclose(rows, expected, atol=1e-4)
    assert told["label"] == [artifact.config.classes[index] for index in expected.argmax(1)]
    assert [text.split(":", 2)[2] for text in told["classification"]] == told["label"]
    assert told["error"].startswith("there is no task 'none', '404 Not Found'")
