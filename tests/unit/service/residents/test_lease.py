"""What a lease says of the answers it is for."""

import pytest

from adapters.store.label_rules import LabelThresholds
from adapters.store.label_thresholds import rule_thresholds
from tests.support.artifacts import MakeArtifact
from tests.support.followed_store import Follower

pytestmark = pytest.mark.anyio


async def test_a_lease_has_the_thresholds_of_the_label_it_was_taken_by(
    follower: Follower, make_artifact: MakeArtifact
) -> None:
    follower.store.publish("digits", make_artifact(1))
    follower.store.set_label("digits", "canary", 1)
    ruled = LabelThresholds(default=0.9)
    rule_thresholds(follower.store, "digits", "canary", ruled)
    await follower.follow()

    leases = [
        await follower.ask("digits", label="canary"),
        await follower.ask("digits"),
        await follower.ask("digits", version=1),
    ]

    assert [(lease.label, lease.thresholds) for lease in leases] == [
        ("canary", ruled), ("stable", None), (None, None),
    ]  # fmt: skip
    assert [lease.verdict(0, 0.5) for lease in leases] == ["below_threshold", None, None]
