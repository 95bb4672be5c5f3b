"""How the process ends: at any moment, as PID 1, with a delay, and whatever still runs."""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from adapters.store.artifact import Artifact
from adapters.store.store import Store

Serve = Callable[..., AbstractContextManager[Any]]
Start = Callable[..., Any]
HANGING = (sys.executable, str(Path(__file__).with_name("hanging_server.py")))
ALONE = ("unshare", "--pid", "--fork", "--kill-child", sys.executable, "-m", "service.cli")
NOISE = re.compile(r"Traceback|Exception ignored|was destroyed|never retrieved|Fatal")
ENDS_WITHIN_S = 15.0  # far more than the 1 s of drain and 2 s beyond it, far less than what hangs


def picture(size: tuple[int, int] = (40, 30)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "teal").save(file, "PNG")
    return file.getvalue()


def wait_caught(pid: int, number: signal.Signals) -> None:
    """Until a process has a handler of its own for a signal."""
    for _ in range(24_000):
        caught = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
        if caught and int(caught[1], 16) >> (number - 1) & 1:
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"no handler of {number.name}")


def namespaces_work() -> bool:
    command = ["unshare", "--pid", "--fork", "true"]
    return bool(shutil.which("unshare")) and not subprocess.run(command, check=False).returncode


def child_of(pid: int) -> int:
    for _ in range(2_000):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if children:
            return int(children[0])
        threading.Event().wait(0.01)
    raise AssertionError("no child")


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        (signal.SIGTERM, None),
        (signal.SIGINT, r"INFO service settings "),
        (signal.SIGHUP, r"INFO service.server listening"),
    ],
)
def test_a_signal_during_the_start_ends_it_at_once(
    number: signal.Signals, moment: str | None, empty_store: Store, start: Start
) -> None:
    server = start(empty_store)
    try:
        wait_caught(server.process.pid, number)
        if moment:
            server.wait_logged(moment)
        assert server.stop(number) == 0
    finally:
        server.end()
    log = "".join(server.log)
    assert not NOISE.search(log), log
    assert "service.lifecycle ready" not in log


@pytest.mark.skipif(not namespaces_work(), reason="no right to make a PID namespace")
@pytest.mark.parametrize("moment", [None, r"INFO service.lifecycle ready"])
def test_it_ends_as_the_first_process_of_a_container(
    moment: str | None, empty_store: Store, start: Start
) -> None:
    server = start(empty_store, "--shutdown-delay-s=0.2", command=ALONE)
    try:
        first = child_of(server.process.pid)
        wait_caught(first, signal.SIGTERM)
        if moment:
            server.wait_logged(moment)
        os.kill(first, signal.SIGTERM)
        assert server.process.wait(ENDS_WITHIN_S) == 0
    finally:
        server.end()
    assert not NOISE.search("".join(server.log))


def test_what_comes_within_the_shutdown_delay_is_answered(
    empty_store: Store, make_artifact: Callable[..., Artifact], serve: Serve
) -> None:
    empty_store.publish("digits", make_artifact(1))
    with serve(empty_store, "--shutdown-delay-s=3600") as server:
        with httpx.Client(base_url=server.url) as kept:
            kept.get("/healthz")
            server.process.send_signal(signal.SIGTERM)
            server.wait_logged(r"INFO service.lifecycle lame_duck ")
            ready = httpx.get(f"{server.url}/readyz")
            answers = [
                client.post(f"{server.url}/v1/tasks/digits/classify", content=picture())
                for client in (kept, httpx)
            ]
            metrics = server.metrics()
        server.process.send_signal(signal.SIGTERM)  # once more changes nothing
        assert httpx.get(f"{server.url}/healthz").status_code == 200
        assert server.stop(signal.SIGINT) == 0  # somebody at a keyboard need not wait

    assert (ready.status_code, ready.json()["code"]) == (503, "draining")
    assert [answer.status_code for answer in answers] == [200, 200]
    assert metrics["dvpt_ready"] == 0
    assert answers[1].headers["connection"] == "close"
    log = "".join(server.log)
    assert log.index("lame_duck") < log.index(" service.lifecycle draining ")
    assert not NOISE.search(log)


def test_threads_that_hang_do_not_keep_the_process(
    empty_store: Store, make_artifact: Callable[..., Artifact], serve: Serve
) -> None:
    empty_store.publish("digits", make_artifact(1))
    answers: list[httpx.Response] = []
    with serve(empty_store, "--drain-timeout-s=1", command=(*HANGING, "threads")) as server:

        def ask() -> None:
            url = f"{server.url}/v1/tasks/digits/classify"
            # Too large to be decoded without a thread.
            answers.append(httpx.post(url, content=picture((200, 200)), timeout=60))

        clients = [threading.Thread(target=ask) for _ in range(2)]
        for client, what in zip(clients, ("the engine", "decoding"), strict=True):
            client.start()
            server.wait_logged(f"{what} hangs")
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(ENDS_WITHIN_S) == 0
        for client in clients:
            client.join()

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(503, "draining")] * 2
    assert "cut_short" not in "".join(server.log)
    assert not NOISE.search("".join(server.log)), "".join(server.log)


def test_an_event_loop_that_hangs_does_not_keep_the_process(empty_store: Store, serve: Serve) -> None:
    def ask() -> None:
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"{server.url}/v1/tasks", timeout=60)

    with serve(empty_store, "--drain-timeout-s=1", command=(*HANGING, "loop")) as server:
        client = threading.Thread(target=ask)
        client.start()
        server.wait_logged("the loop hangs")
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(ENDS_WITHIN_S) == 0
        client.join()

    server.wait_logged("WARNING service.shutdown cut_short")
    assert not NOISE.search("".join(server.log))
