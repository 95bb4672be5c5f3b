"""Adapters in memory: on the device in a slot, or in host memory until they are wanted again."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from torch import Tensor

from adapters.bank.bank import AdapterBank
from adapters.errors import BankFull
from adapters.kinds.adapter_config import AdapterConfig
from adapters.kinds.layout import Layout, Slot
from adapters.store.artifact import Artifact
from service.metrics import Metrics


@dataclass(eq=False, slots=True)
class Resident:
    """One version of a task in memory. Only `Residency` changes it.

    `tensors` are empty while it is in a slot: the bank's rows are then the only copy.
    """

    task: str
    version: int
    config: AdapterConfig
    layout: Layout
    tensors: dict[str, Tensor]
    slot: Slot | None = None
    leases: int = 0
    retired: bool = False
    arrival: "asyncio.Task[None] | None" = field(default=None, repr=False)


class Residency:
    """Keeps the adapters in use in the bank's slots; the least recently used make room for others.

    All methods belong to the event loop's thread; the bank is written on `loader`.
    """

    def __init__(
        self,
        bank: AdapterBank,
        *,
        loader: Executor,
        warm: Callable[[Layout], Awaitable[None]],
        settled: Callable[[], Awaitable[None]],
        metrics: Metrics,
    ) -> None:
        self._bank = bank
        self._loader = loader
        self._warm_layout = warm
        self._settled = settled
        self._metrics = metrics
        self._warm: set[Layout] = set()
        self._in_slots: dict[Layout, OrderedDict[Resident, None]] = {}
        self._on_host: set[Resident] = set()
        self._entrances: dict[Layout, asyncio.Lock] = {}
        self._room_may_be = asyncio.Event()
        self._farewells: set[asyncio.Task[None]] = set()

    async def add(self, task: str, version: int, artifact: Artifact) -> Resident:
        """Take a checked adapter in: into a free slot, or into host memory where none is free."""
        layout = self._bank.layout_of(artifact.config)
        resident = Resident(task, version, artifact.config, layout, artifact.tensors)
        self._on_host.add(resident)
        try:
            await self._insert(resident)
        except BankFull:
            pass
        except BaseException:
            self.retire(resident)
            raise
        return resident

    @asynccontextmanager
    async def lease(self, resident: Resident) -> AsyncIterator[Slot]:
        """Hold an adapter in its slot, after bringing it back from host memory if need be."""
        resident.leases += 1  # before any wait, so that nothing frees it on the way
        try:
            while resident.slot is None:
                await self._arrived(resident)
            self._in_slots[resident.layout].move_to_end(resident)
            yield resident.slot
        finally:
            resident.leases -= 1
            if not resident.leases:
                self._room_may_be.set()
                if resident.retired:
                    self._leave(resident)

    def retire(self, resident: Resident) -> None:
        """Let an adapter go for good, once its last lease has ended."""
        resident.retired = True
        if not resident.leases:
            self._leave(resident)

    async def close(self) -> None:
        """Wait for the slots that are being freed."""
        await asyncio.gather(*self._farewells, return_exceptions=True)

    async def _arrived(self, resident: Resident) -> None:
        """Wait for one shared arrival, which a request that gives up does not end for the others."""
        if resident.arrival is None:
            resident.arrival = asyncio.create_task(self._return(resident))
        await asyncio.shield(resident.arrival)

    async def _return(self, resident: Resident) -> None:
        entrance = self._entrances.setdefault(resident.layout, asyncio.Lock())
        try:
            async with entrance:  # first come, first in
                while resident.slot is None:
                    try:
                        await self._insert(resident)
                    except BankFull:
                        await self._make_room(resident.layout)
            self._metrics.returns.inc()
        finally:
            resident.arrival = None
            if resident.retired and not resident.leases:
                self._leave(resident)

    async def _insert(self, resident: Resident) -> None:
        loop = asyncio.get_running_loop()
        slot = await loop.run_in_executor(self._loader, self._write, resident)
        try:
            if resident.layout not in self._warm:
                await self._warm_layout(resident.layout)
                self._warm.add(resident.layout)
        except BaseException:
            await self._free(slot)
            raise
        self._on_host.discard(resident)
        self._in_slots.setdefault(resident.layout, OrderedDict())[resident] = None
        resident.slot, resident.tensors = slot, {}
        self._room_may_be.set()  # it has no lease yet
        self._count()

    async def _make_room(self, layout: Layout) -> None:
        """Send the least recently used adapter without a lease to host memory, or wait for a lease to end."""
        residents = self._in_slots.get(layout, OrderedDict())
        idle = next((resident for resident in residents if not resident.leases), None)
        if idle is None:
            self._room_may_be.clear()
            await self._room_may_be.wait()
            return
        async with self.lease(idle) as slot:  # so that nothing frees it meanwhile
            loop = asyncio.get_running_loop()
            tensors = await loop.run_in_executor(self._loader, self._bank.read, idle.config, slot)
        if idle.leases or idle.slot is None:
            return  # wanted again, or gone for good
        idle.slot, idle.tensors = None, tensors
        del residents[idle]
        self._on_host.add(idle)
        self._metrics.evictions.inc()
        await self._free(slot)

    def _leave(self, resident: Resident) -> None:
        self._on_host.discard(resident)
        slot, resident.slot = resident.slot, None
        if slot is not None:
            del self._in_slots[resident.layout][resident]
            farewell = asyncio.create_task(self._free(slot))
            self._farewells.add(farewell)
            farewell.add_done_callback(self._farewells.discard)
        self._count()

    async def _free(self, slot: Slot) -> None:
        # A row whose request gave up holds no lease, but the batch that runs now may still read its slot.
        await self._settled()
        await asyncio.get_running_loop().run_in_executor(self._loader, self._erase, slot)
        self._room_may_be.set()

    def _write(self, resident: Resident) -> Slot:
        slot = self._bank.insert(resident.config, resident.tensors)
        self._metrics.bank_bytes.set(self._bank.memory_bytes())
        return slot

    def _erase(self, slot: Slot) -> None:
        self._bank.remove(slot)
        self._metrics.bank_bytes.set(self._bank.memory_bytes())

    def _count(self) -> None:
        for layout, residents in self._in_slots.items():
            self._metrics.slots_used.labels(str(layout)).set(len(residents))
        self._metrics.host_adapters.set(len(self._on_host))
