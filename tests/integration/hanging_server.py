"""The service with a part that hangs for good, for test_service_shutdown.py: `hanging_server.py PART FLAGS…`.

`threads`: the first picture hangs the thread of the engine, those after it hang the threads that decode.
`loop`: a request hangs the event loop.
"""

import sys
import time
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from torch import Tensor

from adapters.kinds.layout import Layout, Slot
from adapters.store.store import Store
from service.access.scope import Scope
from service.app import create_service
from service.command import build_parser
from service.engine.choice import make_engine
from service.engine.protocol import Engine, Probabilities
from service.errors import InferenceFailed
from service.http.guard import allow_all
from service.logs import configure_logging
from service.server import serve
from service.settings import settings_from
from service.shutdown import exit_now


def hang(what: str) -> None:
    sys.stderr.write(f"{what} hangs\n")
    sys.stderr.flush()
    time.sleep(3600)


class HangingEngine:
    """An engine whose threads do not come back."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._staged = 0

    def start(self) -> None:
        self._engine.start()

    def warm(self, layout: Layout) -> None:
        self._engine.warm(layout)

    def stage(self, image: Tensor) -> Tensor:
        self._staged += 1
        if self._staged > 1:
            hang("decoding")
        return self._engine.stage(image)

    def infer(self, images: Sequence[Tensor], slots: Sequence[Slot]) -> list[Probabilities | InferenceFailed]:
        hang("the engine")
        return self._engine.infer(images, slots)


async def hang_the_loop(_request: Request, scope: Scope) -> None:
    if scope is Scope.CLASSIFY:
        hang("the loop")


def main(part: str, *flags: str) -> int:
    def new_engine(*parts: Any) -> Engine:
        engine = make_engine(*parts)
        return HangingEngine(engine) if part == "threads" else engine

    configure_logging()
    settings = settings_from(vars(build_parser().parse_args(flags)))
    guard = hang_the_loop if part == "loop" else allow_all
    return serve(create_service(settings, Store.open(settings.store), new_engine, guard=guard), settings)


if __name__ == "__main__":
    exit_now(main(*sys.argv[1:]))
