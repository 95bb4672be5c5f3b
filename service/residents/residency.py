"""Adapters in memory: on the device in a slot, or in host memory until they are wanted again."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager, contextmanager, suppress
from time import monotonic

from adapters.bank.bank import AdapterBank
from adapters.errors import BankFull
from adapters.kinds.layout import Layout, Slot
from adapters.store.artifact import Artifact
from service.metrics import Metrics
from service.residents.host_memory import HostMemory
from service.residents.resident import Resident

TURN_S = 0.25
"""How long an adapter waits for a slot that nobody uses before one in use must make way: a few batches."""


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
        host: HostMemory,
    ) -> None:
        self._bank = bank
        self.host = host
        self.draining: set[Resident] = set()
        self._loader = loader
        self._warm_layout = warm
        self._settled = settled
        self._metrics = metrics
        self._warm: set[Layout] = set()
        self._grants = 0
        self._in_slots: dict[Layout, OrderedDict[Resident, None]] = {}
        self._return_locks: dict[Layout, asyncio.Lock] = {}
        self._slot_available = asyncio.Event()
        self._freeing: set[asyncio.Task[None]] = set()
        metrics.host_adapters.set_function(lambda: len(host))
        metrics.host_bytes.set_function(lambda: host.bytes)

    async def add(self, task: str, version: int, artifact: Artifact, *, pinned: bool = False) -> Resident:
        """Take a checked adapter in: into a free slot, or into host memory where none is free.

        While others wait for a slot of its layout, the next free one is theirs.
        """
        layout = self._bank.layout_of(artifact.config)
        resident = Resident(task, version, artifact.config, layout, artifact.tensors, pinned)
        self.host.add(resident)
        try:
            if not self._return_lock(layout).locked():
                await self._insert(resident)
        except BankFull:
            pass
        except BaseException:
            self.retire(resident)
            raise
        return resident

    def has_room(self, resident: Resident) -> bool:
        """Whether it is in a slot, or one is free for it."""
        return resident.slot is not None or self._bank.has_room(resident.layout)

    @asynccontextmanager
    async def lease(self, resident: Resident) -> AsyncIterator[Slot]:
        """Hold an adapter in its slot, after bringing it back from host memory if need be."""
        with self._held(resident):  # before any wait, so that nothing frees it on the way
            while resident.slot is None or resident.makes_way is not None:
                if resident.makes_way is not None:
                    await self._made_way(resident, resident.makes_way)
                else:
                    await self._returned(resident)
            self._in_slots[resident.layout].move_to_end(resident)
            resident.used_s = monotonic()
            yield resident.slot
            resident.used_s = monotonic()

    @contextmanager
    def _held(self, resident: Resident) -> Iterator[None]:
        resident.leases += 1
        try:
            yield
        finally:
            resident.leases -= 1
            if not resident.in_use:
                self._slot_available.set()
            if not resident.leases and resident.retired:
                self.retire(resident)

    def retire(self, resident: Resident) -> None:
        """Let an adapter go for good: now, or once its last lease has ended."""
        resident.retired = True
        if resident.leases:
            self.draining.add(resident)
            return
        self.draining.discard(resident)
        self.host.discard(resident)
        slot, resident.slot = resident.slot, None
        if slot is not None:
            del self._in_slots[resident.layout][resident]
            freeing = asyncio.create_task(self._free(slot))
            self._freeing.add(freeing)
            freeing.add_done_callback(self._freeing.discard)

    async def close(self) -> None:
        """Wait for the slots that are being freed."""
        await asyncio.gather(*self._freeing, return_exceptions=True)

    async def _made_way(self, resident: Resident, has_made_way: asyncio.Event) -> None:
        resident.held_back += 1
        try:
            await has_made_way.wait()
        finally:
            resident.held_back -= 1

    async def _returned(self, resident: Resident) -> None:
        """Wait for one shared return, which a request that gives up does not end for the others."""
        if resident.returning is None:
            resident.returning = asyncio.create_task(self._return(resident))
        await asyncio.shield(resident.returning)

    async def _return(self, resident: Resident) -> None:
        overdue_s = asyncio.get_running_loop().time() + TURN_S
        try:
            async with self._return_lock(resident.layout):  # first come, first in
                while resident.slot is None:
                    try:
                        await self._insert(resident)
                    except BankFull:
                        await self._make_room(resident.layout, overdue_s)
            self._metrics.returns.inc()
        finally:
            resident.returning = None
            if resident.retired:
                self.retire(resident)

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
        self.host.discard(resident)
        self._residents_in_slots(resident.layout)[resident] = None
        resident.slot, resident.tensors = slot, {}
        self._grants += 1
        resident.granted = self._grants
        self._slot_available.set()  # it has no lease yet

    async def _make_room(self, layout: Layout, overdue_s: float) -> None:
        """Wait for a free slot, or send the least recently used adapter that is not in use to host memory.

        From `overdue_s` on (in the event loop's time) the one that has had its slot for longest takes no new
        leases until it has gone, or another has: with more adapters in demand than slots all get their turns.
        """
        residents = self._residents_in_slots(layout)
        makes_way: Resident | None = None
        try:
            while not self._bank.has_room(layout):
                self._slot_available.clear()  # before looking: whatever changes from here on wakes
                overdue = asyncio.get_running_loop().time() >= overdue_s
                idle = self._idle(residents, pinned=False) or (
                    self._idle(residents, pinned=True) if overdue else None
                )
                if overdue and makes_way is None and residents:
                    makes_way = idle or min(residents, key=lambda resident: resident.granted)
                    makes_way.makes_way = asyncio.Event()
                if idle is not None:
                    await self._evict(idle)
                    return
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(None if overdue else overdue_s):
                        await self._slot_available.wait()
        finally:
            if makes_way is not None and makes_way.makes_way is not None:
                makes_way.makes_way.set()
                makes_way.makes_way = None

    @staticmethod
    def _idle(residents: Iterable[Resident], *, pinned: bool) -> Resident | None:
        free = (each for each in residents if not each.in_use and each.pinned is pinned)
        return next(free, None)

    async def _evict(self, idle: Resident) -> None:
        """Send an adapter to host memory, unless it is wanted again meanwhile."""
        slot, idle_s = idle.slot, idle.idle_s()
        if slot is None:
            return
        with self._held(idle):  # so that nothing frees it meanwhile
            loop = asyncio.get_running_loop()
            tensors = await loop.run_in_executor(self._loader, self._bank.read, idle.config, slot)
            wanted = idle.leases - idle.held_back > 1
        if wanted or idle.slot is None:
            return  # wanted again, or gone for good
        idle.slot, idle.tensors = None, tensors
        del self._residents_in_slots(idle.layout)[idle]
        self.host.add(idle)
        self._metrics.evictions.inc()
        self._metrics.eviction_age_seconds.labels("slot").observe(idle_s)
        await self._free(slot)

    async def _free(self, slot: Slot) -> None:
        # A row whose request gave up holds no lease, but the batch that runs now may still read its slot.
        await self._settled()
        await asyncio.get_running_loop().run_in_executor(self._loader, self._bank.remove, slot)
        self._slot_available.set()

    def _return_lock(self, layout: Layout) -> asyncio.Lock:
        return self._return_locks.setdefault(layout, asyncio.Lock())

    def _write(self, resident: Resident) -> Slot:
        slot = self._bank.insert(resident.config, resident.tensors)
        self._metrics.bank_bytes.set(self._bank.memory_bytes())
        return slot

    def _residents_in_slots(self, layout: Layout) -> OrderedDict[Resident, None]:
        """Those of one layout, the least recently used first."""
        residents = self._in_slots.get(layout)
        if residents is None:
            residents = self._in_slots[layout] = OrderedDict()
            self._metrics.slots_used.labels(str(layout)).set_function(lambda: len(residents))
        return residents
