"""A lease on a version with thresholds, and counts of its answers to val."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from adapters.kinds.acceptance import Acceptance
from adapters.kinds.layout import HeadShape, Layout, Slot
from adapters.kinds.linear.options import LinearOptions
from service.residents.lease import Lease
from tests.support.artifacts import MakeArtifact

MakeLease = Callable[..., Lease]


@pytest.fixture
def make_lease(make_artifact: MakeArtifact) -> MakeLease:
    """`make_lease(predicted=(5, 3, 2), label="stable", …)`: of three classes, accepted from 0.6 on."""

    def make(*, predicted: tuple[int, ...] | None = (5, 3, 2), **given: Any) -> Lease:
        own = Acceptance(
            thresholds=(0.6,) * 3, none_below=0.4, precision=0.95, pictures=sum(predicted or (1,)),
            accepted=1.0, accepted_precision=1.0, false_alarms=0.0, predicted=predicted,
        )  # fmt: skip
        config = make_artifact(1).config.model_copy(update={"acceptance": own})
        slot = Slot(Layout(LinearOptions()), 1, HeadShape(1, 16), 1, 3)
        return replace(Lease("digits", 4, config, slot, label="stable"), **given)

    return make
