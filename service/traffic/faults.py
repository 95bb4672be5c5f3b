"""Which errors of a version are its own: not the client's, and not the device's."""

from service.errors import AdapterUnavailable, DeviceLost, InferenceFailed, OutOfDeviceMemory


def is_own(error: Exception) -> bool:
    """Whether an error counts against the version that was asked."""
    if isinstance(error, DeviceLost | OutOfDeviceMemory):
        return False
    return isinstance(error, InferenceFailed | AdapterUnavailable)
