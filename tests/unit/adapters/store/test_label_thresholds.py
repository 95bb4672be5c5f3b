"""Thresholds of a label, in its file."""

import pytest

from adapters.errors import ClassNotFound, LabelNotFound
from adapters.store.label_rules import LabelRules, LabelThresholds, LabelTraffic
from adapters.store.label_thresholds import rule_thresholds
from adapters.store.store import Store
from tests.support.artifacts import MakeArtifact

GIVEN = LabelThresholds(classes={"class 1": 0.8}, none_of_these=0.2)


def test_they_are_in_the_record_until_they_are_taken_away(published: Store) -> None:
    traffic = LabelTraffic(shadow_share=0.5)
    published.rule("digits", "stable", lambda rules: rules.model_copy(update={"traffic": traffic}))
    before = published.journal.position()

    rule_thresholds(published, "digits", "stable", GIVEN)

    assert published.task("digits").rules == {"stable": LabelRules(thresholds=GIVEN, traffic=traffic)}
    news = published.journal.after(before)
    assert news is not None
    assert news.tasks == {"digits"}
    after = rule_thresholds(published, "digits", "stable", None)
    assert after.rules == LabelRules(traffic=traffic)


def test_nothing_ruled_is_none(published: Store) -> None:
    assert rule_thresholds(published, "digits", "stable", LabelThresholds()).rules is None


def test_an_unknown_class_is_refused_with_the_names_there_are(
    published: Store, make_artifact: MakeArtifact
) -> None:
    with pytest.raises(
        ClassNotFound, match=r"no class 'River', 'class 5'; there are: 'class 0', .*'class 4'$"
    ):
        rule_thresholds(
            published, "digits", "stable", LabelThresholds(classes={"River": 0.5, "class 5": 0.5})
        )
    assert published.task("digits").rules == {}
    published.publish("digits", make_artifact(class_count=6), label="wide")
    rule_thresholds(published, "digits", "wide", LabelThresholds(classes={"class 5": 0.5}))


def test_a_label_that_is_not_there_has_none(published: Store) -> None:
    with pytest.raises(LabelNotFound):
        rule_thresholds(published, "digits", "canary", GIVEN)
