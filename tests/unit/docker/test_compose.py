"""The compose files are valid, confined, and speak of what the images and the programs have."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings import Settings
from training.options.arguments import build_parser
from training.options.train_config import TrainConfig

DOCKER = Path(__file__).resolve().parents[3] / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
OVERLAY: dict[str, Any] = yaml.safe_load((DOCKER / "compose.gpu.yaml").read_text())
KEYED: dict[str, Any] = yaml.safe_load((DOCKER / "compose.keys.yaml").read_text())["services"]
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
VARIABLE = re.compile(r"\$\{[A-Z_]+:-([^}]*)\}")
NEEDED = re.compile(r"\$\{([A-Z_]+):\?[^}]+\}")


def filled(text: str) -> str:
    """The text where nobody has set a variable."""
    return VARIABLE.sub(r"\1", text)


def mounts(name: str) -> dict[str, str]:
    """Where a service's volumes and folders are mounted, to what they are."""
    parted = [filled(volume).split(":") for volume in SERVICES[name]["volumes"]]
    return {target: source for source, target, *_ in parted}


@pytest.mark.parametrize("file", ["compose.yaml", "compose.gpu.yaml", "compose.keys.yaml"])
def test_the_files_follow_the_compose_schema(file: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    result = subprocess.run([*command, DOCKER / file], check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_only_the_overlay_asks_for_a_gpu() -> None:
    assert not any("deploy" in service for service in SERVICES.values())
    assert set(OVERLAY["services"]) == {"service", "train"}
    for service in OVERLAY["services"].values():
        (device,) = service["deploy"]["resources"]["reservations"]["devices"]
        assert device["capabilities"] == ["gpu"]


@pytest.mark.parametrize(
    ("name", "folder"), [("service", "KEYS_FOLDER"), ("prometheus", "KEYS_FOLDER/prometheus")]
)
def test_keys_are_mounted_with_their_folder(name: str, folder: str) -> None:
    """A file of its own would stay the one it was when `dvpt-keys` puts another in its place."""
    (volume,) = KEYED[name]["volumes"]
    assert NEEDED.sub(r"\1", volume) == f"{folder}:/run/keys:ro"


def test_the_service_takes_its_keys_from_where_they_are_mounted() -> None:
    assert KEYED["service"]["environment"] == {"DVPT_INSECURE": "false", "DVPT_KEYS": "/run/keys/keys.json"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(filled(port).startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_built_here_or_pinned_by_version(name: str) -> None:
    service = SERVICES[name]
    if "build" not in service:
        assert re.fullmatch(r".+:v?\d+\.\d+\.\d+", service["image"])
        return
    context = DOCKER / service["build"]["context"]
    dockerfile = context / service["build"]["dockerfile"]
    arguments = re.findall(r"^ARG (\w+)", dockerfile.read_text(), re.MULTILINE)
    assert set(service["build"]["args"]) <= set(arguments)


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_exists(name: str) -> None:
    for source in mounts(name).values():
        if source.startswith("."):
            assert (DOCKER / source).is_dir(), source
        else:
            assert source in COMPOSE["volumes"], source


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_waited_for_can_become_healthy(name: str) -> None:
    for other, wait in SERVICES[name].get("depends_on", {}).items():
        if wait["condition"] == "service_healthy":
            dockerfile = SERVICES[other].get("build", {}).get("dockerfile")
            in_image = dockerfile and "HEALTHCHECK" in (DOCKER.parent / dockerfile).read_text()
            assert in_image or "healthcheck" in SERVICES[other]


@pytest.mark.parametrize("name", [name for name in SERVICES if "healthcheck" in SERVICES[name]])
def test_what_talks_with_the_others_alone_has_no_proxy(name: str) -> None:
    """Docker's client gives containers the proxies of its configuration, unless the file says otherwise."""
    variables = SERVICES[name]["environment"]
    assert variables["HTTP_PROXY"] == variables["http_proxy"] == ""


def test_training_publishes_into_the_store_that_the_service_watches() -> None:
    dockerfile = (DOCKER / "service.Dockerfile").read_text()
    served = re.search(r"DVPT_STORE=(\S+)", dockerfile)
    assert served is not None
    parser = build_parser(TrainConfig, prog="dvpt-train", description="")
    config = TrainConfig(**vars(parser.parse_args(SERVICES["train"]["command"])))
    assert mounts("service")[served[1]] == mounts("train")[str(config.store)] == "store"
    assert config.task == "digits"


def test_the_training_job_runs_once_and_only_on_demand() -> None:
    assert SERVICES["train"]["profiles"] == ["train"]
    assert SERVICES["train"]["restart"] == "no"
    assert not any("profiles" in service for name, service in SERVICES.items() if name != "train")


def test_an_empty_volume_becomes_a_store_of_the_embedded_backbone() -> None:
    variables = {name: filled(text) for name, text in SERVICES["service"]["environment"].items()}
    assert set(variables) <= {f"DVPT_{name}".upper() for name in Settings.model_fields}
    assert variables["DVPT_BACKBONE"] == "vit_dvpt_patch8_64.formula"


def test_the_engine_waits_longer_than_the_service_drains() -> None:
    grace = re.fullmatch(r"(\d+)s", SERVICES["service"]["stop_grace_period"])
    assert grace is not None
    assert int(grace[1]) > Settings.model_fields["drain_timeout_s"].default
