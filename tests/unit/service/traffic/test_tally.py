"""What counts call for, and when counting begins anew."""

from dataclasses import replace

import pytest

from adapters.store.label_rules import LabelRules, LabelTraffic, PromoteRule, RollBackRule
from adapters.store.task_record import TaskRecord
from service.traffic.tally import Tallies, Tally

RULES = LabelTraffic(
    canary_share=0.1,
    shadow_share=0.5,
    promote=PromoteRule(agreement=0.75, over=4),
    roll_back=RollBackRule(errors=0.5, over=4),
)


def ruled(traffic: LabelTraffic = RULES, **labels: int) -> TaskRecord:
    named = {"stable": 1, "canary": 2} | labels
    return TaskRecord("digits", (1, 2, 3), named, rules={"canary": LabelRules(traffic=traffic)})


@pytest.fixture
def tally() -> Tally:
    return Tally("digits", "canary", 2, 1, RULES)


def test_agreement_promotes_once_there_were_enough_pictures(tally: Tally) -> None:
    for agreed in (True, True, False):
        tally.compared(agreed)
        assert tally.due is None
    tally.compared(agreed=True)
    assert tally.due == "promote"
    assert (tally.pictures, tally.agreed) == (4, 3)


def test_disagreement_that_is_long_ago_does_not_count(tally: Tally) -> None:
    for agreed in (False, False, False, True, True):
        tally.compared(agreed)
    assert tally.due is None
    tally.compared(agreed=True)
    assert tally.due == "promote"


def test_errors_take_it_out_as_soon_as_there_are_too_many(tally: Tally) -> None:
    tally.asked(failed=True)
    assert tally.due is None
    tally.asked(failed=True)
    assert tally.due == "roll_back"
    assert (tally.requests, tally.errors) == (2, 2)


def test_errors_that_are_long_ago_do_not_count(tally: Tally) -> None:
    for failed in (True, False, False, False, True):
        tally.asked(failed=failed)
    assert tally.due is None


def test_errors_count_before_agreement(tally: Tally) -> None:
    for _ in range(4):
        tally.compared(agreed=True)
        tally.asked(failed=True)
    assert tally.due == "roll_back"


def test_without_rules_nothing_is_due() -> None:
    tally = Tally("digits", "canary", 2, 1, LabelTraffic(canary_share=0.5))
    for _ in range(10):
        tally.compared(agreed=True)
        tally.asked(failed=True)
    assert tally.due is None


def test_counting_goes_on_while_rules_and_versions_stay() -> None:
    tallies, record = Tallies(), ruled()
    assert tallies.known(record, "canary") is None
    tally = tallies.of(record, "canary")
    assert tally is not None
    other = replace(ruled(), versions=(1, 2, 3, 4), labels={**record.labels, "next": 4})
    assert tallies.of(other, "canary") is tally
    assert tallies.known(other, "canary") is tally


@pytest.mark.parametrize(
    "changed",
    [ruled(LabelTraffic(canary_share=0.2)), ruled(stable=3), ruled(canary=3)],
    ids=["rules", "stable", "canary"],
)
def test_counting_begins_anew_with_other_rules_or_versions(changed: TaskRecord) -> None:
    tallies = Tallies()
    before = tallies.of(ruled(), "canary")
    assert tallies.known(changed, "canary") is None
    after = tallies.of(changed, "canary")
    assert after is not None
    assert after is not before
    assert (after.version, after.past) == (changed.labels["canary"], changed.labels["stable"])


def test_a_label_without_traffic_or_version_has_no_counts() -> None:
    tallies = Tallies()
    assert tallies.of(ruled(), "stable") is None
    assert tallies.of(replace(ruled(), labels={"canary": 2}), "canary") is None
    assert tallies.of(replace(ruled(), labels={"stable": 1}), "canary") is None
    assert list(tallies) == []


def test_what_is_forgotten_is_counted_anew() -> None:
    tallies = Tallies()
    tally = tallies.of(ruled(), "canary")
    assert tally is not None
    tallies.forget(tally)
    assert list(tallies) == []
    assert tallies.of(ruled(), "canary") is not tally
    tallies.forget(tally)
    assert len(list(tallies)) == 1
