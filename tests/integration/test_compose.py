"""The compose file with a real engine; docker/check_compose.py does the rest of it, by hand."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DOCKER = Path(__file__).resolve().parents[2] / "docker"
IMAGES = ("dvpt-service:latest", "dvpt-training:latest", "prom/prometheus:v3.13.2")


def compose() -> str | None:
    """How compose is called here, if the engine runs and has the images."""
    calls = ("docker compose", "docker-compose")
    found = [call for call in calls if shutil.which(call.split()[0]) and _works(*call.split(), "version")]
    return found[0] if found and all(_works("docker", "image", "inspect", each) for each in IMAGES) else None


def _works(*command: str) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.mark.timeout(600)
def test_a_task_is_trained_beside_the_service_and_answered() -> None:
    called = compose()
    if called is None:
        pytest.skip("needs a running Docker engine with the images of docker/compose.yaml")

    command = [sys.executable, str(DOCKER / "check_compose.py"), "--short", "--compose", called]
    done = subprocess.run(command, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "the trained task answers" in done.stdout
