"""Many cores and one GPU, by events: N whole replicas, against one engine process fed by N front ends.

A request needs its process's interpreter (one at a time) before and after the batch, and a core for decoding.
A pass needs the interpreter of the process that launches it, then the GPU, which runs one pass after another.
A replica has one pass under way, and what waits meanwhile is its next batch, as in the service. The one
engine process is taken at its best: it launches a pass while the one before runs.
"""

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

Then = Callable[[], None]
MAX_BATCH = 64


@dataclass(frozen=True)
class Costs:
    """Seconds, as measured or assumed; `pass_fixed_s` and `pass_picture_s` are the GPU's."""

    serial_s: float
    decode_s: float
    launch_s: float
    handover_s: float
    pass_fixed_s: float
    pass_picture_s: float


@dataclass(frozen=True)
class Outcome:
    """What clients saw, and how large batches were."""

    pictures_a_second: float
    p50_ms: float
    p99_ms: float
    batch: float
    gpu_busy: float


class Clock:
    """The order of events."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._events: list[tuple[float, int, Then]] = []
        self._count = 0

    def after(self, delay_s: float, then: Then) -> None:
        """Do something later."""
        self._count += 1
        heapq.heappush(self._events, (self.now_s + delay_s, self._count, then))

    def run(self, until_s: float) -> None:
        """Until then, or until nothing more happens."""
        while self._events and self._events[0][0] <= until_s:
            self.now_s, _, then = heapq.heappop(self._events)
            then()


class Server:
    """So many at a time, the others in their order: cores, an interpreter, a GPU."""

    def __init__(self, clock: Clock, places: int = 1) -> None:
        self._clock = clock
        self._free = places
        self._waiting: deque[tuple[float, Then]] = deque()
        self.busy_s = 0.0

    def use(self, for_s: float, then: Then) -> None:
        """Have it for so long once it is free, then go on."""
        if not self._free:
            self._waiting.append((for_s, then))
            return
        self._free -= 1
        self._begin(for_s, then)

    def _begin(self, for_s: float, then: Then) -> None:
        self.busy_s += for_s
        self._clock.after(for_s, lambda: self._end(then))

    def _end(self, then: Then) -> None:
        if self._waiting:
            self._begin(*self._waiting.popleft())
        else:
            self._free += 1
        then()


@dataclass
class Engine:
    """Who makes batches: its interpreter launches passes, and what they answer goes on from there."""

    clock: Clock
    costs: Costs
    gpu: Server
    interpreter: Server
    handover_s: float
    most_passes: int
    queue: deque[Then] = field(default_factory=deque)
    sizes: list[int] = field(default_factory=list)
    passes: int = 0

    def put(self, then: Then) -> None:
        """A picture is ready; `then` goes on with its answer."""
        self.queue.append(then)
        self._next()

    def _next(self) -> None:
        if self.passes >= self.most_passes or not self.queue:
            return
        self.passes += 1
        batch = [self.queue.popleft() for _ in range(min(MAX_BATCH, len(self.queue)))]
        self.sizes.append(len(batch))
        on_gpu_s = self.costs.pass_fixed_s + self.costs.pass_picture_s * len(batch)
        launch_s = self.costs.launch_s + self.handover_s * len(batch)
        self.interpreter.use(launch_s, lambda: self.gpu.use(on_gpu_s, lambda: self._ran(batch)))

    def _ran(self, batch: list[Then]) -> None:
        self.passes -= 1
        for then in batch:
            then()
        self._next()


class Machine:
    """`processes` that speak HTTP; each has its engine, or all have the one of a process beside them."""

    def __init__(self, costs: Costs, processes: int, cores: int, *, one_engine: bool) -> None:
        self.clock = Clock()
        self.gpu = Server(self.clock)
        self._costs = costs
        self._cores = Server(self.clock, cores)
        self._interpreters = [Server(self.clock) for _ in range(processes)]
        gil = [Server(self.clock)] if one_engine else self._interpreters
        handover_s = costs.handover_s if one_engine else 0.0
        passes = 2 if one_engine else 1
        self.engines = [Engine(self.clock, costs, self.gpu, each, handover_s, passes) for each in gil]
        self.took_s: list[tuple[float, float]] = []

    def ask(self, process: int, answered: Then = lambda: None) -> None:
        """One picture to one of the processes."""
        began_s, interpreter = self.clock.now_s, self._interpreters[process]
        engine = self.engines[process % len(self.engines)]
        half_s = self._costs.serial_s / 2

        def done() -> None:
            self.took_s.append((self.clock.now_s, self.clock.now_s - began_s))
            answered()

        interpreter.use(
            half_s,
            lambda: self._cores.use(
                self._costs.decode_s, lambda: engine.put(lambda: interpreter.use(half_s, done))
            ),
        )


def simulate(
    costs: Costs, processes: int, *, one_engine: bool, clients: int = 0, rate: float = 0.0,
    seconds: float = 2.0, cores: int = 16,
) -> Outcome:  # fmt: skip
    """`clients` that ask on and on, or requests that come at a rate; the first quarter warms up."""
    machine = Machine(costs, processes, cores, one_engine=one_engine)
    draw, clock = random.Random(0), machine.clock

    def again(client: int) -> None:
        machine.ask(client % processes, lambda: again(client))

    def arrive() -> None:
        machine.ask(draw.randrange(processes))
        clock.after(draw.expovariate(rate), arrive)

    for client in range(clients):
        clock.after(draw.random() * 0.01, lambda client=client: again(client))  # type: ignore[misc]
    if rate:
        arrive()
    clock.run(seconds)
    took_s = np.array([took for at, took in machine.took_s if at >= seconds / 4] or [np.nan])
    sizes = [size for engine in machine.engines for size in engine.sizes]
    return Outcome(
        pictures_a_second=round(len(took_s) / (0.75 * seconds)),
        p50_ms=round(1000 * float(np.median(took_s)), 2),
        p99_ms=round(1000 * float(np.quantile(took_s, 0.99)), 2),
        batch=round(float(np.mean(sizes)), 1),
        gpu_busy=round(machine.gpu.busy_s / seconds, 3),
    )
