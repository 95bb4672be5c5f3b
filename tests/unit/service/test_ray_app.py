"""What the Serve config file's `args` become; tests/integration/test_ray.py has the deployment itself."""

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.errors import ConfigError
from service.settings import Settings

pytest.importorskip("ray", reason="needs Ray: make test-ray sets it up")


ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def ray_app() -> Any:
    """The module, whose import of Ray warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module("service.ray_app")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({}, "store: is needed"),
        ({"store": "s", "max_bach": 2}, "max_bach: is no setting"),
        ({"store": "s", "max_batch": -1}, "max_batch: "),
        ({"store": "s", "workers": 2}, "take more of them"),
    ],
)
def test_bad_settings_are_refused_before_anything_starts(
    ray_app: Any, flags: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        ray_app.build(flags)


def test_ray_queues_nothing_that_the_service_would_refuse(ray_app: Any, tmp_path: Path) -> None:
    settings = Settings(store=tmp_path, max_queued_pictures=70, drain_timeout_s=11)

    made = ray_app.deployment(settings)

    assert made.max_ongoing_requests > settings.max_queued_pictures
    assert made._deployment_config.graceful_shutdown_timeout_s > settings.drain_timeout_s


def test_requests_are_bounded_as_connections_are(ray_app: Any, tmp_path: Path) -> None:
    made = ray_app.deployment(Settings(store=tmp_path, max_connections=33))

    assert made.max_ongoing_requests == 33


def test_the_config_file_is_one_that_serve_takes_and_names_what_there_is(ray_app: Any) -> None:
    from ray.serve.config import AutoscalingConfig  # noqa: PLC0415
    from ray.serve.schema import ServeDeploySchema  # noqa: PLC0415

    given = yaml.safe_load((ROOT / "docker/ray/serve_config.yaml").read_text())

    (application,) = ServeDeploySchema.model_validate(given).applications
    (service,) = application.deployments
    made = ray_app.deployment(Settings(store=Path("s")))
    assert application.import_path == f"{ray_app.__name__}:{ray_app.build.__name__}"
    assert service.name == made.name
    assert service.graceful_shutdown_timeout_s == made._deployment_config.graceful_shutdown_timeout_s
    policy = AutoscalingConfig.model_validate(service.autoscaling_config).policy
    assert policy.get_policy()(**policy.policy_kwargs) is not None
