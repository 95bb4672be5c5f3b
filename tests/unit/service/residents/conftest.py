"""A registry over a real store and a bank of three slots, without an engine."""

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest
import torch

from adapters.bank.bank import AdapterBank
from adapters.kinds.layout import Layout
from adapters.store.store import Store
from service.metrics import Metrics
from service.residents.host_memory import HostMemory
from service.residents.preload import Preload
from service.residents.registry import Registry
from service.residents.residency import Residency
from tests.support.followed_store import Follower


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def loader() -> Iterator[Executor]:
    """The threads that read the store and write the bank."""
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture
def bank(store: Store) -> AdapterBank:
    return AdapterBank(store.backbone, device=torch.device("cpu"), dtype=torch.float32, slots_per_layout=3)


@pytest.fixture
def host() -> HostMemory:
    """Room for everything."""
    return HostMemory(2**40)


@pytest.fixture
async def residency(
    bank: AdapterBank, loader: Executor, metrics: Metrics, host: HostMemory
) -> AsyncIterator[Residency]:
    """No engine: layouts are warm at once, and no batch runs."""

    async def at_once(*_: Layout) -> None:
        pass

    made = Residency(bank, loader=loader, warm=at_once, settled=at_once, metrics=metrics, host=host)
    yield made
    await made.close()


@pytest.fixture
def registry(store: Store, residency: Residency, loader: Executor, metrics: Metrics) -> Registry:
    """Loads every stable version before anybody asks."""
    return Registry(store, residency, loader=loader, metrics=metrics, preload=Preload(("*",)))


@pytest.fixture
def follower(
    store: Store, bank: AdapterBank, residency: Residency, registry: Registry, metrics: Metrics
) -> Follower:
    return Follower(store, bank, residency, registry, metrics)
