"""LitServe as a peer: one worker with every adapter in memory, batches split by task inside `predict`.

    python -m benchmarks.peers.peer_litserve --store DIR --port 8123

LitServe gathers a batch of whatever came; a model is of one task, so the batch is grouped and each group is
one forward pass. Decoding stands in `decode_request`, as its guides have it, which runs in the worker. An API
for each task would mean a process and a backbone for each task.
"""

import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import litserve
from starlette.requests import Request
from torch import Tensor

from benchmarks.peers.engine import PeerEngine, PeerModel, PeerOptions, Rows, peer_options

Asked = tuple[PeerModel, Tensor]


class ClassifyApi(litserve.LitAPI):
    """A form with `task` and `image` in, the likeliest classes out."""

    def __init__(self, options: PeerOptions) -> None:
        super().__init__(max_batch_size=options.max_batch, batch_timeout=options.batch_wait_ms / 1000)
        self._options = options
        self._models: dict[str, PeerModel] = {}

    def setup(self, device: str) -> None:
        """Load everything, in the worker's process."""
        del device
        self._models = PeerEngine(self._options).load_all()

    def decode_request(self, request: Request) -> Asked:
        """A form → the task's model and its pixels; the annotation tells LitServe to read the body itself."""
        model = self._models[request["task"]]
        return model, model.pixels(request["image"].file.read())

    def batch(self, inputs: list[Asked]) -> list[Asked]:
        """Left as a list: its pictures are not for one model."""
        return inputs

    def predict(self, asked: list[Asked]) -> list[dict[str, Any]]:
        """One forward pass for each task of the batch."""
        groups: dict[int, list[int]] = defaultdict(list)
        for place, (model, _) in enumerate(asked):
            groups[id(model)].append(place)
        answers: list[dict[str, Any]] = [{}] * len(asked)
        for places in groups.values():
            model = asked[places[0]][0]
            rows: Sequence[Rows] = list(model.predict([asked[place][1] for place in places]))
            for place, row in zip(places, rows, strict=True):
                answers[place] = model.answer(row)
        return answers

    def unbatch(self, output: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Each request's own."""
        return output


def main() -> int:
    """Serve until a signal."""
    options = peer_options(__doc__)
    # fast_queue is its own advice for more than a hundred requests a second.
    server = litserve.LitServer(
        ClassifyApi(options), accelerator="cpu", fast_queue=True, healthcheck_path="/readyz"
    )
    server.run(host="127.0.0.1", port=options.port, log_level="warning", generate_client_file=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
