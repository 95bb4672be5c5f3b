"""What of the whole service's limits one of its workers has."""

from typing import Any

from service.descriptors import DEFAULT_CONNECTIONS
from service.settings import Settings


def share_of(settings: Settings) -> Settings:
    """The settings of each worker: what bounds memory or threads is the whole service's, and is divided.

    Not divided are `slots_per_layout`, as each worker answers for every task, and what bounds one request or
    one batch.
    """
    return settings.model_copy(update=divided(settings))


def divided(settings: Settings) -> dict[str, Any]:
    """The settings that are divided, and each worker's part; no part is 0, which would mean a default."""
    workers = settings.workers
    whole = {
        "max_queued_pictures": settings.max_queued_pictures,
        "max_body_bytes_held": settings.max_body_bytes_held,
        "max_connections": settings.max_connections or DEFAULT_CONNECTIONS,
        "host_bytes": settings.host_bytes,
        "decode_threads": settings.decode_threads,
    }
    if settings.feedback_answers:
        whole["feedback_answers"] = settings.feedback_answers
    if settings.torch_threads:
        whole["torch_threads"] = settings.torch_threads
    return {name: max(1, amount // workers) for name, amount in whole.items()}
