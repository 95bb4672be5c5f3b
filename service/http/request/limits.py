"""What one request may bring and ask for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RequestLimits:
    """Bytes of the body and of one encoded picture, pictures, and times."""

    request_bytes: int
    picture_bytes: int
    pictures: int
    upload_timeout_ms: int
    default_timeout_ms: int
    max_timeout_ms: int
