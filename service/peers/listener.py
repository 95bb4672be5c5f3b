"""Answers the peers' questions, on a socket of its own that clients do not reach."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from service.peers.question import TASK_PATH, Serving

Answer = Callable[[str], Serving]
"""What this process serves of a task, by label; nothing of a task that it does not know."""
CLOSE_S = 1
IN_FLIGHT = 128


class PeerServer(uvicorn.Server):
    """A server beside the one of the process, which leaves signals to that."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Change nothing."""
        yield


@asynccontextmanager
async def answering_peers(
    listener: socket.socket, answer: Answer, routes: Sequence[Route] = ()
) -> AsyncIterator[None]:
    """Answer on `listener` within the block, other questions by `routes`, and close it in the end."""

    async def serving(request: Request) -> Response:
        return JSONResponse({"serving": answer(request.path_params["task"])})

    app = Starlette(routes=[Route(f"{TASK_PATH}{{task:path}}", serving), *routes])
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        limit_concurrency=IN_FLIGHT,
        timeout_graceful_shutdown=CLOSE_S,
    )
    server = PeerServer(config)
    task = asyncio.create_task(server.serve([listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task
        listener.close()
