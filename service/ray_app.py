"""The Ray Serve application: `serve run docker/ray/serve_config.yaml`, or any config that names `build`.

A replica is the whole service. Ray starts replicas, restarts them, spreads requests over them and scales them
by the pictures that wait; batches are made within each, of the requests of all tasks. docs/scale.md has more.
"""

from typing import Any

from pydantic import ValidationError
from ray import serve

from adapters.errors import ConfigError
from service.descriptors import DEFAULT_CONNECTIONS
from service.faults import faults_in_one_line
from service.ray.proxies import behind_proxies
from service.ray.replica import Replica
from service.settings import Settings, settings_from

EXIT_GRACE_S = 5
"""What a replica's end may take beyond its drain."""


def build(flags: dict[str, Any]) -> serve.Application:
    """The application of one store; `flags` are settings by name, the `args` of a Serve config file.

    Raises ConfigError for bad settings. What the config file says of the deployment wins over what is here.
    """
    try:
        settings = settings_from(behind_proxies(flags))
    except (ValidationError, OSError, ValueError) as error:
        raise ConfigError(faults_in_one_line(error)) from error
    if settings.workers > 1:
        raise ConfigError(f"workers: a replica is one process (given: {settings.workers}); take more of them")
    return deployment(settings).bind(flags)


def deployment(settings: Settings, replica: type[Replica] = Replica) -> serve.Deployment:
    """The deployment `service`, with one replica until the config file says otherwise."""
    requests = settings.max_connections or DEFAULT_CONNECTIONS
    return serve.deployment(
        serve.ingress()(replica),
        name="service",
        # The service itself refuses what is too much, by pictures and bytes; Ray would queue it without end.
        max_ongoing_requests=requests,
        max_queued_requests=requests,
        backpressure_config={"status_code": 429, "retry_after_s": 1},
        graceful_shutdown_timeout_s=settings.drain_timeout_s + EXIT_GRACE_S,
        graceful_shutdown_wait_loop_s=0.5,
        health_check_period_s=2,
        logging_config={"enable_access_log": False},  # the service has a log of its own
    )
