"""Limits, as the settings and the system have them."""

from service.descriptors import connection_limit
from service.http.edge.limits import EdgeLimits
from service.http.request.limits import RequestLimits
from service.settings import Settings


def request_limits(settings: Settings) -> RequestLimits:
    """The limits of one request, as the settings have them."""
    return RequestLimits(
        request_bytes=settings.max_request_bytes,
        picture_bytes=settings.max_picture_bytes,
        pictures=settings.max_pictures_per_request,
        upload_timeout_ms=settings.upload_timeout_ms,
        default_timeout_ms=settings.default_timeout_ms,
        max_timeout_ms=settings.max_timeout_ms,
    )


def edge_limits(settings: Settings) -> EdgeLimits:
    """The limits of connections, as the settings and the system have them."""
    return EdgeLimits(
        head_bytes=settings.max_head_bytes,
        head_timeout_s=settings.head_timeout_s,
        keep_alive_s=settings.keep_alive_s,
        send_timeout_s=settings.send_timeout_s,
        half_closed_grace_s=settings.half_closed_grace_s,
        connections=connection_limit(settings.max_connections),
    )
