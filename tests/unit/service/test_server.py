import socket
import subprocess
import sys

import pytest

from service.errors import CannotListen
from service.listening import listen

READY = """
import gc, sys
import uvicorn
from fastapi import FastAPI
from service.app import Service
from service.lifecycle import Lifecycle
from service.server import DrainingServer
service = Service(FastAPI(), Lifecycle())
DrainingServer(uvicorn.Config(service.app), service)
before = gc.get_freeze_count()
service.lifecycle.become_ready()
sys.exit(0 if before == 0 < gc.get_freeze_count() else 1)
"""


def test_a_free_port_is_found() -> None:
    with listen("127.0.0.1", 0) as listener:
        assert listener.getsockname()[1] > 0


def test_all_addresses_of_both_families_are_listened_to() -> None:
    with listen("::", 0) as listener:
        port = listener.getsockname()[1]
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, port), timeout=60).close()


@pytest.mark.parametrize(
    "host", ["203.0.113.7", "2001:db8::7", "no-such-host.invalid", "a..b", "a" * 300, "a\0b"]
)
def test_an_address_that_is_not_this_machines_is_refused(host: str) -> None:
    with pytest.raises(CannotListen, match=host):
        listen(host, 0)


def test_a_taken_port_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f"127.0.0.1 port {port}: .*in use"):
            listen("127.0.0.1", port)


@pytest.mark.slow
def test_a_ready_service_collects_no_garbage_among_what_its_start_made() -> None:
    ended = subprocess.run([sys.executable, "-c", READY], check=False, timeout=240)

    assert ended.returncode == 0
