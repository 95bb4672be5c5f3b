"""The whole service in the process of one worker."""

import socket

from service.app import create_service
from service.engine.choice import make_engine
from service.served_store import open_served_store
from service.server import serve
from service.wiring.parts import NewEngine
from service.workers.division import share_of
from service.workers.membership import Membership
from service.workers.messages import Assignment
from service.workers.metric_files import count_in


def serve_as(assignment: Assignment, line: socket.socket, new_engine: NewEngine | None) -> int:
    """Serve until a signal, a fault or the end of the supervisor; the process's exit code."""
    settings = share_of(assignment.whole_settings())
    membership = Membership(assignment, line)
    count_in(membership.folder.metrics, membership.worker)
    store = open_served_store(settings)
    service = create_service(
        settings, store, new_engine or make_engine, peers=membership.peers, membership=membership
    )
    membership.join(service.lifecycle)
    listener = socket.socket(fileno=assignment.listener)
    listener.set_inheritable(False)
    return serve(service, settings, listener)
