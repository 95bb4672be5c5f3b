"""Requests to come: when, for which task, how many pictures. Drawn once, so that every side gets the same."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FLOOD = "flood"
ZIPF_EXPONENT = 1.0


@dataclass(frozen=True)
class Traffic:
    """Pictures/s over many tasks, one picture a request, and beside them one task that floods a layout.

    Task i is of layout i mod `layouts`. `burst` requests arrive at one moment. The flood's requests have
    `flood_pictures` each and are of the first layout, or of one of their own.
    """

    rate: float
    tasks: int = 1000
    layouts: int = 1
    seconds: float = 2.0
    popularity: Literal["uniform", "zipf"] = "uniform"
    burst: int = 1
    flood_rate: float = 0.0
    flood_pictures: int = 16
    flood_apart: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Arrival:
    """One request."""

    at_s: float
    task: str
    layout: int
    pictures: int


def arrivals(traffic: Traffic) -> list[Arrival]:
    """All requests in order of time."""
    draw = np.random.default_rng(traffic.seed)
    moments = np.repeat(_poisson(draw, traffic.rate / traffic.burst, traffic.seconds), traffic.burst)
    tasks = draw.choice(traffic.tasks, size=len(moments), p=_shares(traffic))
    flood_layout = traffic.layouts if traffic.flood_apart else 0
    requests = [
        Arrival(at_s, f"task-{task}", task % traffic.layouts, 1)
        for at_s, task in zip(moments.tolist(), tasks.tolist(), strict=True)
    ] + [
        Arrival(at_s, FLOOD, flood_layout, traffic.flood_pictures)
        for at_s in _poisson(draw, traffic.flood_rate / traffic.flood_pictures, traffic.seconds).tolist()
    ]
    return sorted(requests, key=lambda arrival: arrival.at_s)


def _poisson(draw: np.random.Generator, rate: float, seconds: float) -> NDArray[np.float64]:
    return np.sort(draw.uniform(0.0, seconds, size=draw.poisson(rate * seconds)))


def _shares(traffic: Traffic) -> NDArray[np.float64]:
    ranks = np.arange(1, traffic.tasks + 1, dtype=np.float64)
    weights: NDArray[np.float64] = (
        ranks**-ZIPF_EXPONENT if traffic.popularity == "zipf" else np.ones(traffic.tasks)
    )
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares
