"""What a request needs to be allowed to do."""

from enum import StrEnum


class Scope(StrEnum):
    """One kind of access to the service; a route needs one of them, or none."""

    CLASSIFY = "classify"
    ADMIN = "admin"
    METRICS = "metrics"
