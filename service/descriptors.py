"""How many files this process may have open, and how many of them may be connections."""

import logging
import resource

from service.logs import log_event

logger = logging.getLogger("service.descriptors")
DEFAULT_CONNECTIONS = 4096
RESERVE = 128
"""Descriptors for the store's files, weights, the log and what the libraries open."""


def connection_limit(wanted: int) -> int:
    """The most connections to hold; 0 wants the default. Takes the descriptors that the system allows."""
    files = _raise_open_files()
    room = max(files // 4, files - RESERVE)
    limit = min(wanted or DEFAULT_CONNECTIONS, room)
    if limit < wanted:
        log_event(logger, logging.WARNING, "fewer_connections", wanted=wanted, limit=limit, open_files=files)
    return limit


def _raise_open_files() -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return _number(soft)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):  # "unlimited" may be above what the kernel gives to anybody
        return _number(soft)
    log_event(logger, logging.INFO, "open_files", before=soft, limit=_number(hard))
    return _number(hard)


def _number(limit: int) -> int:
    return 1_048_576 if limit == resource.RLIM_INFINITY else limit
