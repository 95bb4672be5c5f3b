"""Count and time classify requests, whatever protocol they come by."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

from service.errors import Draining
from service.http.problems import problem_of
from service.metrics import Metrics
from service.residents.registry import Registry


@dataclass(frozen=True)
class RequestMetrics:
    """The metrics of one request, by its task and how it ended."""

    metrics: Metrics
    registry: Registry

    @contextmanager
    def measured(self, task: str) -> Iterator[None]:
        """Around a whole request. A cancelled one raises Draining: only the end of the service cancels it."""
        started_s = monotonic()
        code = "ok"
        try:
            yield
        except asyncio.CancelledError:
            code = "draining"  # the drain took longer than it may
            raise Draining("the service ended before the answer was ready") from None
        except BaseException as error:
            code = problem_of(error).code
            raise
        finally:
            label = self.metrics.task_label(task, self.registry.tasks)
            self.metrics.requests.labels(label, code).inc()
            self.metrics.request_seconds.labels(label).observe(monotonic() - started_s)
