"""Real sockets: what peers answer each other, and what becomes of those that do not."""

import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from service.peers.addresses import Address
from service.peers.peers import Peers, Told, readiness
from service.peers.question import Serving

pytestmark = pytest.mark.anyio
STATES: dict[str, Serving] = {"digits": {"stable": 4}, "grün/ ?#%2F..": {"stable": 1, "canary": 2}}


class Fixed:
    """Addresses that do not change."""

    def __init__(self, *others: Address | None) -> None:
        self._others = others

    async def others(self) -> Sequence[Address | None]:
        return self._others


def unix_listener(path: Path) -> tuple[socket.socket, Address]:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener, Address.parse(f"unix://{path}")


def tcp_listener() -> tuple[socket.socket, Address]:
    listener = socket.create_server(("127.0.0.1", 0))
    return listener, Address.parse(f"http://127.0.0.1:{listener.getsockname()[1]}")


def answer(task: str) -> Serving:
    return STATES.get(task, {})


@pytest.mark.parametrize("task", [*STATES, "nobody knows it"])
async def test_peers_answer_over_either_socket(task: str, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        addresses = []
        for listener, address in (unix_listener(tmp_path / "peer"), tcp_listener()):
            await stack.enter_async_context(Peers(listener=listener).answering(answer))
            addresses.append(address)

        assert await Peers(Fixed(*addresses)).serving(task) == [answer(task)] * 2


async def test_who_does_not_answer_counts_and_keeps_nobody(tmp_path: Path) -> None:
    silent, silent_address = unix_listener(tmp_path / "silent")
    gone = Address(path=str(tmp_path / "gone"))
    listener, address = unix_listener(tmp_path / "peer")
    with silent:
        async with Peers(listener=listener).answering(answer):
            peers = Peers(Fixed(silent_address, None, gone, address), timeout_s=0.2)

            assert await peers.serving("digits") == [None, None, None, {"stable": 4}]


async def test_a_fault_or_a_stranger_is_no_answer(tmp_path: Path) -> None:
    def broken(task: str) -> Serving:
        if task == "fault":
            raise RuntimeError(task)
        return {"stable": "4"}  # type: ignore[dict-item]

    listener, address = unix_listener(tmp_path / "peer")
    async with Peers(listener=listener).answering(broken):
        peers = Peers(Fixed(address))
        assert [await peers.serving(task) for task in ("fault", "other")] == [[None], [None]]


async def test_other_questions_have_routes_of_their_own(tmp_path: Path) -> None:
    async def shown(request: Request) -> Response:
        return JSONResponse([request.method, request.query_params["a"]])

    listener, address = unix_listener(tmp_path / "peer")
    gone = Address(path=str(tmp_path / "gone"))
    routes = [Route("/shown", shown, methods=["GET", "PUT"])]
    async with Peers(listener=listener).answering(answer, routes):
        peers = Peers(Fixed(gone, None, address), timeout_s=5)
        assert await peers.told("/shown?a=%2Fb%20c") == Told([(address, ["GET", "/b c"])], unheard=False)
        assert await peers.tell(address, "/shown?a=1", "PUT") == ["PUT", "1"]
        assert await peers.told("/other") == Told([], unheard=True)
        assert await peers.tell(gone, "/shown?a=1", "PUT") is None
        assert await peers.serving("digits") == [None, None, {"stable": 4}]


async def test_alone_there_is_nobody_to_ask() -> None:
    async with Peers().answering(answer):
        assert await Peers().serving("digits") == []


@pytest.mark.parametrize(
    "url", ["", "peer", "unix://", "unix://host/path", "http://host", "https://host:1", "http://h:1/x"]
)
def test_an_address_is_of_a_unix_socket_or_a_port(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Address.parse(url)


def test_ready_is_who_answers_every_label_with_the_version_it_names() -> None:
    behind, half = {"stable": 3, "canary": 4}, {"canary": 4}
    found = readiness({"stable": 4, "canary": 4}, [{"stable": 4, "canary": 4}, behind, half, None])

    assert (found.all, found.ready) == (4, 1)
    assert found.serving == {"canary": {4: 3}, "stable": {3: 1, 4: 1}}


LABELS = st.dictionaries(st.sampled_from(["stable", "canary"]), st.integers(1, 3))


@given(LABELS, st.lists(LABELS | st.none()))
def test_no_process_is_counted_twice(labels: Serving, processes: list[Serving | None]) -> None:
    found = readiness(labels, processes)

    assert found.ready <= found.all == len(processes)
    assert all(sum(counts.values()) <= found.all for counts in found.serving.values())
    if labels:
        assert all(found.ready <= found.serving.get(label, {}).get(n, 0) for label, n in labels.items())
