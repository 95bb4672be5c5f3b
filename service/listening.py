"""The socket that the service listens on."""

import socket

from service.errors import CannotListen

BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; `::` listens to IPv4 as well. Raises CannotListen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == "::" and socket.has_dualstack_ipv6()
    try:
        socket.getaddrinfo(host, port)  # on what is no name at all, create_server would leave its socket open
        return socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=both)
    except (OSError, ValueError) as error:  # ValueError: no name can look like that
        reason = getattr(error, "strerror", None) or error
        raise CannotListen(f"cannot listen on {host} port {port}: {reason}") from error
