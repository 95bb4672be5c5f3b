"""What may be ruled for the traffic of a label, and the moves that rules make."""

import pytest

from adapters.errors import ClassesDiffer, ConfigError, LabelNotFound, StoreConflict
from adapters.store.label_rules import (
    LabelRules,
    LabelThresholds,
    LabelTraffic,
    PromoteRule,
    RollBackRule,
)
from adapters.store.store import Store
from adapters.store.traffic_rules import out_of_traffic, set_traffic
from tests.support.artifacts import MakeArtifact

TRAFFIC = LabelTraffic(canary_share=0.1, shadow_share=0.5, promote=PromoteRule(agreement=0.99, over=1000))


@pytest.fixture
def labelled(store: Store, make_artifact: MakeArtifact) -> Store:
    """Task `digits`: `stable` is version 1, `canary` and `next` are version 2."""
    store.publish("digits", make_artifact())
    store.publish("digits", make_artifact(), label="canary")
    store.set_label("digits", "next", 2)
    return store


def test_rules_are_in_the_record_until_they_are_taken_away(labelled: Store) -> None:
    thresholds = LabelThresholds(default=0.5)
    labelled.rule("digits", "canary", lambda _: LabelRules(thresholds=thresholds))
    set_traffic(labelled, "digits", "canary", TRAFFIC)
    assert labelled.task("digits").rules == {"canary": LabelRules(traffic=TRAFFIC, thresholds=thresholds)}
    set_traffic(labelled, "digits", "canary", None)
    assert labelled.task("digits").rules == {"canary": LabelRules(thresholds=thresholds)}


def test_stable_has_no_share_of_its_own(labelled: Store) -> None:
    with pytest.raises(StoreConflict, match="'stable' answers whatever no other label does"):
        set_traffic(labelled, "digits", "stable", TRAFFIC)


def test_a_label_that_is_not_there_gets_no_rules(labelled: Store) -> None:
    with pytest.raises(LabelNotFound):
        set_traffic(labelled, "digits", "made-up", TRAFFIC)


def test_the_shares_of_all_labels_are_at_most_1(labelled: Store) -> None:
    set_traffic(labelled, "digits", "canary", LabelTraffic(canary_share=0.75))
    with pytest.raises(StoreConflict, match=r"would have 1\.05 of its requests together"):
        set_traffic(labelled, "digits", "next", LabelTraffic(canary_share=0.3))
    set_traffic(labelled, "digits", "next", LabelTraffic(canary_share=0.25, shadow_share=1.0))
    set_traffic(labelled, "digits", "canary", LabelTraffic(canary_share=0.5))  # its own old share is free


@pytest.mark.parametrize(
    ("traffic", "why"),
    [
        (LabelTraffic(canary_share=0.5, promote=PromoteRule(agreement=0.9, over=10)), "a shadow_share"),
        (LabelTraffic(roll_back=RollBackRule(errors=0.1, over=10)), "which has no share"),
    ],
)
def test_a_rule_that_could_come_to_nothing_is_refused(
    labelled: Store, traffic: LabelTraffic, why: str
) -> None:
    with pytest.raises(ConfigError, match=why):
        set_traffic(labelled, "digits", "canary", traffic)


def test_out_of_traffic_leaves_what_else_is_ruled() -> None:
    thresholds = LabelThresholds(default=0.5)
    out = out_of_traffic(LabelRules(traffic=TRAFFIC, thresholds=thresholds))
    assert out.traffic == LabelTraffic(promote=TRAFFIC.promote)
    assert out.thresholds == thresholds
    assert out_of_traffic(LabelRules()) == LabelRules()


def test_rules_out_of_the_traffic_are_read_again(labelled: Store) -> None:
    set_traffic(labelled, "digits", "canary", TRAFFIC)
    labelled.rule("digits", "canary", out_of_traffic, version=2)
    assert labelled.task("digits").problems == ()
    assert labelled.task("digits").rules["canary"].traffic == LabelTraffic(promote=TRAFFIC.promote)


def test_rules_for_a_version_that_the_label_left_stay_as_they_are(labelled: Store) -> None:
    set_traffic(labelled, "digits", "canary", TRAFFIC)
    with pytest.raises(StoreConflict, match="names version 2, no longer 1"):
        labelled.rule("digits", "canary", out_of_traffic, version=1)
    assert labelled.task("digits").rules["canary"].traffic == TRAFFIC


def test_a_promotion_moves_stable_once(labelled: Store) -> None:
    assert labelled.promote("digits", "canary", 2, past=1)
    assert not labelled.promote("digits", "canary", 2, past=1)
    assert labelled.label("digits", "stable").version == 2
    assert labelled.rollback("digits") == 1


@pytest.mark.parametrize("moved", ["stable", "canary"])
def test_a_promotion_of_what_moved_meanwhile_is_refused(
    labelled: Store, make_artifact: MakeArtifact, moved: str
) -> None:
    labelled.publish("digits", make_artifact(), label=moved)
    with pytest.raises(StoreConflict, match="no longer 2 and 1"):
        labelled.promote("digits", "canary", 2, past=1)
    assert labelled.label("digits", "stable").version == (3 if moved == "stable" else 1)


def test_a_promotion_to_other_classes_is_refused(labelled: Store, make_artifact: MakeArtifact) -> None:
    labelled.publish("digits", make_artifact(class_count=4), label="other")
    with pytest.raises(ClassesDiffer):
        labelled.promote("digits", "other", 3, past=1)
