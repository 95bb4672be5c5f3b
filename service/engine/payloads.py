"""What waits in the batcher and runs on the engine's thread: a staged picture and its adapter's slot."""

from collections.abc import Sequence

from torch import Tensor

from adapters.kinds.layout import Slot
from service.engine.protocol import Engine, Probabilities
from service.errors import InferenceFailed

Payload = tuple[Tensor, Slot]


def infer_payloads(engine: Engine, payloads: Sequence[Payload]) -> list[Probabilities | InferenceFailed]:
    """The batcher's payloads as the engine's arguments."""
    images, slots = zip(*payloads, strict=True)
    return engine.infer(images, slots)
