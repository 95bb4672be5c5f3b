"""A store that a registry follows, and what a test does to it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from adapters.bank.bank import AdapterBank
from adapters.store.artifact import TENSORS_FILE
from adapters.store.store import Store
from service.metrics import Metrics
from service.residents.lease import Lease
from service.residents.preload import Preload
from service.residents.registry import Registry
from service.residents.residency import Residency


@dataclass
class Follower:
    """A registry over a real store and bank, without an engine."""

    store: Store
    bank: AdapterBank
    residency: Residency
    registry: Registry
    metrics: Metrics

    async def follow(self) -> None:
        await self.registry.follow(self.store.records())
        await self.residency.close()

    async def ask(self, task: str, version: int | None = None, label: str | None = None) -> Lease:
        async with self.registry.lease(task, version, label) as lease:
            assert lease.slot in self.bank.slots
            return lease

    def lazy(self, preload: Preload | None = None) -> "Follower":
        """As this one, but nothing is loaded before somebody asks, or what `preload` says."""
        registry = Registry(
            self.store, self.residency, loader=ThreadPoolExecutor(2), metrics=self.metrics, preload=preload
        )
        return Follower(self.store, self.bank, self.residency, registry, self.metrics)

    def places(self) -> dict[str, str]:
        """Of each task with something in memory: whether its stable version is in a slot or on the host."""
        states = {task: self.registry.state(task) for task in self.registry.tasks}
        return {
            task: "slot" if state.serving["stable"].slot else "host"
            for task, state in states.items()
            if "stable" in state.serving
        }

    def loads(self) -> dict[str, float]:
        """How many versions were loaded, by cause."""
        samples = {
            cause: self.metrics.registry.get_sample_value(
                "dvpt_adapter_loads_total", {"outcome": "ok", "cause": cause}
            )
            for cause in ("request", "preload", "publish", "change")
        }
        return {cause: value for cause, value in samples.items() if value}

    def value(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(name)


def flip_a_bit(store_folder: Path, task: str, version: int) -> Path:
    path = store_folder / task / str(version) / TENSORS_FILE
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    return path
