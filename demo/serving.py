"""A real `dvpt-serve` over a store, for as long as somebody asks it."""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

BIN = Path(sys.executable).parent
START_LIMIT_S = 120.0


@contextmanager
def serving(store: Path, log: Path) -> Iterator[str]:
    """Run the service over `store` on a free loopback port; yields its address and stops it politely."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("w") as output:
        command = [str(BIN / "dvpt-serve"), "--store", str(store), "--port", str(port)]
        service = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            service.terminate()
            if service.wait(timeout=60) != 0:
                sys.exit(f"the service ended with {service.returncode}; see {log}")


async def wait_until_ready(client: httpx.AsyncClient, log: Path) -> None:
    """Poll /readyz until the service has loaded every adapter of the store."""
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        try:
            if (await client.get("/readyz")).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass  # not listening yet
        await asyncio.sleep(0.2)
    sys.exit(f"the service was not ready within {START_LIMIT_S:.0f} s; see {log}")
