"""What the latencies of an open loop say, and what an engine allows whose batches mix tasks or do not."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

QUANTILE = 0.99


@dataclass(frozen=True)
class Step:
    """One offered load in requests per second, and what came of it: p99, and the answers within the limit."""

    load_per_s: float
    p99_s: float
    within_per_s: float


def p99(latencies_s: Sequence[float]) -> float:
    """The least time within which 99 of 100 requests were answered; infinite if more never were."""
    if not latencies_s:
        raise ValueError("no requests, no p99")
    return sorted(latencies_s)[math.ceil(QUANTILE * len(latencies_s)) - 1]


def step(load_per_s: float, latencies_s: Sequence[float], limit_s: float) -> Step:
    """One step of a sweep; of its requests those within the limit are as good a part as of its load."""
    within = sum(latency <= limit_s for latency in latencies_s) / len(latencies_s)
    return Step(load_per_s, p99(latencies_s), load_per_s * within)


def goodput_per_s(steps: Sequence[Step], limit_s: float, patience_s: float) -> float:
    """The load at which p99 reaches the limit: between the last step that keeps it and the first that fails.

    Between the two log p99 is taken as linear in load, with `patience_s` for an infinite one. Where every
    step keeps the limit it is the greatest load, which may be too little; where none does, the good answers
    of the smallest, which is rather too much.
    """
    ordered = sorted(steps, key=lambda one: one.load_per_s)
    kept: Step | None = None
    for one in ordered:
        if one.p99_s > limit_s:
            return one.within_per_s if kept is None else _crossing(kept, one, limit_s, patience_s)
        kept = one
    return ordered[-1].load_per_s


def expected_tasks(shares: Sequence[float], batch: int) -> float:
    """How many tasks a batch has on average, when each picture is drawn by the tasks' shares."""
    return sum(1 - (1 - share) ** batch for share in shares)


def engine_limit_per_s(fixed_s: float, per_picture_s: float, batch: int, passes: float = 1.0) -> float:
    """Pictures per second of full batches that take so many passes each."""
    return batch / (passes * fixed_s + batch * per_picture_s)


def zipf_shares(tasks: int) -> list[float]:
    """The share of each task's requests, by Zipf's law with exponent 1."""
    total = sum(1 / rank for rank in range(1, tasks + 1))
    return [1 / rank / total for rank in range(1, tasks + 1)]


def _crossing(kept: Step, broken: Step, limit_s: float, patience_s: float) -> float:
    low, high = math.log(kept.p99_s), math.log(max(min(broken.p99_s, patience_s), limit_s))
    part = (math.log(limit_s) - low) / (high - low) if high > low else 1.0
    return kept.load_per_s + part * (broken.load_per_s - kept.load_per_s)
