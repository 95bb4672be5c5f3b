"""Where Ray's HTTP proxies listen, for the rule that nobody is served from elsewhere without a key."""

from typing import Any

import ray
from ray.serve.context import _get_global_client


def behind_proxies(flags: dict[str, Any]) -> dict[str, Any]:
    """The settings by name, whose `host` is that of the proxies: settings refuse one that is open by mistake.

    Ray tells it by no public call. Unchanged where no Serve runs yet, or none with proxies.
    """
    client = _get_global_client(raise_if_no_controller_running=False) if ray.is_initialized() else None
    if client is None or client.http_config.host is None:
        return dict(flags)
    return {**flags, "host": client.http_config.host}
