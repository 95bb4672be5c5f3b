"""Puts the parts of traffic together."""

from collections.abc import Callable
from concurrent.futures import Executor

from adapters.store.store import Store
from service.audit import Audit
from service.batching.batcher import Batcher
from service.engine.payloads import Payload
from service.engine.protocol import Probabilities
from service.metrics import Metrics
from service.residents.registry import Registry
from service.traffic.decisions import Decisions
from service.traffic.shadow import Shadow
from service.traffic.standing import Standings
from service.traffic.traffic import Traffic


def make_traffic(
    store: Store,
    registry: Registry,
    batcher: Batcher[Payload, Probabilities],
    loader: Executor,
    audit: Audit,
    metrics: Metrics,
    code_of: Callable[[Exception], str],
) -> Traffic:
    """The traffic of one service; `code_of` gives the code of an error, for the audit trail."""
    standings = Standings(registry)
    decisions = Decisions(store, loader=loader, audit=audit, metrics=metrics, code_of=code_of)
    shadow = Shadow(registry, batcher, standings, decisions, metrics)
    return Traffic(registry, standings, shadow, decisions, metrics)
