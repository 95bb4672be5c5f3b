"""The real service with an engine of known speed in place of the forward pass.

    python -m benchmarks.common.model_service --store DIR --port 8123 --fixed-ms 2 --per-picture-ms 0.05

With both at 0 the engine answers at once, which leaves the cost of the request path alone.
"""

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from adapters.cores import available_cores
from adapters.kinds.layout import Layout, Slot
from adapters.store.store import Store
from service.app import create_service
from service.engine.protocol import Probabilities
from service.errors import InferenceFailed
from service.server import serve
from service.settings import settings_from
from service.workers.supervise import supervise
from service.workers.worker import run_worker


class ModelEngine:
    """Sleeps `fixed_s` for a batch and `per_picture_s` for each of its pictures; every class is equal."""

    def __init__(self, fixed_s: float, per_picture_s: float) -> None:
        self._fixed_s = fixed_s
        self._per_picture_s = per_picture_s

    def start(self) -> None:
        """Nothing to load."""

    def warm(self, layout: Layout) -> None:
        """Nothing to warm."""

    def stage(self, image: Tensor) -> Tensor:
        """There is no device."""
        return image

    def infer(self, images: Sequence[Tensor], slots: Sequence[Slot]) -> list[Probabilities | InferenceFailed]:
        """Wait as long as the model says."""
        self.wait(len(images))
        return [np.full(slot.class_count, 1 / slot.class_count, dtype=np.float32) for slot in slots]

    def wait(self, pictures: int) -> None:
        """Take the time of one batch."""
        wait_s = self._fixed_s + self._per_picture_s * pictures
        if wait_s:
            time.sleep(wait_s)


def main() -> int:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--fixed-ms", type=float, default=0.0)
    parser.add_argument("--per-picture-ms", type=float, default=0.0)
    parser.add_argument("--max-batch", type=int, default=64)
    parser.add_argument("--decode-threads", type=int, default=available_cores())
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--worker", type=int, help="a descriptor: be one of several workers")
    options = parser.parse_args()
    engine = ModelEngine(options.fixed_ms / 1000, options.per_picture_ms / 1000)
    if options.worker is not None:
        return run_worker(options.worker, lambda *_: engine)
    given = {
        name: getattr(options, name) for name in ("store", "port", "max_batch", "decode_threads", "workers")
    }
    settings = settings_from(given | {"device": "cpu"})
    logging.basicConfig(level=logging.WARNING)
    if options.workers > 1:
        module = "benchmarks.common.model_service"
        return supervise(settings, [sys.executable, "-P", "-m", module, *sys.argv[1:], "--worker"])
    return serve(create_service(settings, Store.open(options.store), lambda *_: engine), settings)


if __name__ == "__main__":
    sys.exit(main())
