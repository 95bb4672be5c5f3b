"""How many replicas are wanted, by the pictures that wait."""

import math
from typing import Any

QUEUED_PICTURES = "queued_pictures"
"""The metric that each replica reports: pictures admitted and not yet answered."""


class QueuedPictures:
    """A policy of Ray Serve: as many replicas as share the waiting pictures at `target_pictures` each.

    Ray's own counts requests, of which one may hold 64 pictures and another one. Delays and the least and the
    most number of replicas stay those of the deployment's autoscaling_config.
    """

    def __init__(self, target_pictures: float = 64) -> None:
        if target_pictures <= 0:
            raise ValueError(f"target_pictures must be above 0, not {target_pictures}")
        self._target_pictures = target_pictures

    def __call__(self, context: Any) -> tuple[int, dict[str, Any]]:
        """The replicas that a ray.serve AutoscalingContext calls for, and no state of our own."""
        reported: dict[Any, float] = (context.aggregated_metrics or {}).get(QUEUED_PICTURES) or {}
        # A request that still waits at the proxy has one picture or more.
        pictures = sum(reported.values()) + (context.total_queued_requests or 0)
        if not reported and not pictures:
            return int(context.target_num_replicas), {}  # nobody has told anything yet
        return math.ceil(pictures / self._target_pictures), {}
