"""The real service, which notes what its process' memory grew by from step to step of its start.

    python -m benchmarks.memory.service --notes FILE --store DIR --port 8126 [any flag of dvpt-serve]

`FILE` is written just before the service is ready.
"""

import argparse
import gc
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from benchmarks.common.process_memory import process_memory

if TYPE_CHECKING:
    from torch import Tensor

    from adapters.bank.bank import AdapterBank
    from adapters.kinds.layout import Layout
    from service.engine.protocol import Engine


class Notes:
    """Bytes by part: what the process' own memory (anonymous) and all of it (rss) grew by."""

    def __init__(self) -> None:
        self.parts: dict[str, dict[str, int]] = {}
        self._anonymous = self._rss = 0

    def add(self, part: str) -> None:
        """Count everything since the last call under `part`."""
        now = process_memory()
        known = self.parts.setdefault(part, {"anonymous": 0, "rss": 0})
        known["anonymous"] += now.anonymous - self._anonymous
        known["rss"] += now.rss - self._rss
        self._anonymous, self._rss = now.anonymous, now.rss


class NotingEngine:
    """An engine that notes what its steps took; everything else goes to the engine behind it."""

    def __init__(self, engine: "Engine", bank: "AdapterBank", notes: Notes, path: Path) -> None:
        self._engine = engine
        self._bank = bank
        self._notes = notes
        self._path = path

    def start(self) -> None:
        """Load the backbone."""
        self._notes.add("wiring")
        self._engine.start()
        gc.collect()
        self._notes.add("backbone")

    def warm(self, layout: "Layout") -> None:
        """Warm a layout; the bare one comes last, when all adapters are in."""
        from service.startup import BARE  # noqa: PLC0415 - torch must not be imported before it is noted

        self._notes.add("adapters")
        self._engine.warm(layout)
        self._notes.add("warm-up")
        if layout == BARE:
            found = {"parts": self._notes.parts, "tensors": census(self._bank)}
            self._path.write_text(json.dumps(found))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def census(bank: "AdapterBank") -> dict[str, int]:
    """Bytes of all tensors alive: the bank's, the backbone's, those on the host; and how many backbones.

    A tensor's memory counts once however many tensors look at it.
    """
    import torch  # noqa: PLC0415

    from adapters.vit.backbone import Backbone  # noqa: PLC0415
    from service.residents.resident import Resident  # noqa: PLC0415

    gc.collect()
    alive = gc.get_objects()
    backbones = [each for each in alive if isinstance(each, Backbone)]
    residents = [each for each in alive if isinstance(each, Resident)]
    state = [t for backbone in backbones for t in [*backbone.parameters(), *backbone.buffers()]]
    on_host = [tensor for resident in residents for tensor in resident.tensors.values()]
    return {
        "all": _bytes([each for each in alive if isinstance(each, torch.Tensor)]),
        "bank": bank.memory_bytes(),
        "backbone": _bytes(state),
        "host_copies": _bytes(on_host),
        "backbones": len(backbones),
    }


def _bytes(tensors: "list[Tensor]") -> int:
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    return sum(storages.values())


def main() -> int:
    """Serve until a signal."""
    notes = Notes()
    notes.add("interpreter")
    from service.command import build_parser  # noqa: PLC0415 - each import is a part of its own
    from service.settings import settings_from  # noqa: PLC0415

    own = argparse.ArgumentParser(add_help=False)
    own.add_argument("--notes", type=Path, required=True)
    noted, others = own.parse_known_args()
    settings = settings_from(vars(build_parser().parse_args(others)))
    notes.add("settings")
    from adapters.store.store import Store  # noqa: PLC0415
    from service.app import create_service  # noqa: PLC0415
    from service.engine.choice import make_engine  # noqa: PLC0415
    from service.server import serve  # noqa: PLC0415

    notes.add("imports")

    def noting(choice: Any, settings: Any, backbone: Any, bank: "AdapterBank") -> "Engine":
        engine = make_engine(choice, settings, backbone, bank)
        return cast("Engine", NotingEngine(engine, bank, notes, noted.notes))

    return serve(create_service(settings, Store.open(settings.store), noting), settings)


if __name__ == "__main__":
    sys.exit(main())
