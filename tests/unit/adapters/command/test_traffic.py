"""`dvpt-adapters traffic`, run as a user would."""

from collections.abc import Callable

import pytest

from adapters.store.label_rules import LabelTraffic, PromoteRule, RollBackRule
from adapters.store.store import Store

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def labelled(published_twice: Store) -> Store:
    published_twice.set_label("digits", "canary", 1)
    return published_twice


def traffic_of(store: Store) -> LabelTraffic | None:
    rules = store.label("digits", "canary").rules
    return rules.traffic if rules else None


def test_what_is_given_changes_and_the_rest_stays(labelled: Store, run: Run) -> None:
    whole = ("--canary", 0.1, "--shadow", 0.5, "--promote", "0.99/1000", "--roll-back", "0.05/200")
    code, out, err = run("traffic", "digits", "canary", *whole)
    shown = "shadow 0.5, promote at 0.99 of 1000 pictures, roll back at 0.05 of 200 requests\n"
    assert (code, out, err) == (0, f"digits: canary = version 1, canary 0.1, {shown}", "")
    assert run("traffic", "digits", "canary", "--canary", 0.25)[1].endswith(f"canary 0.25, {shown}")
    assert traffic_of(labelled) == LabelTraffic(
        canary_share=0.25,
        shadow_share=0.5,
        promote=PromoteRule(agreement=0.99, over=1000),
        roll_back=RollBackRule(errors=0.05, over=200),
    )
    assert run("traffic", "digits", "canary")[1].endswith(shown)


def test_off_takes_all_away(labelled: Store, run: Run) -> None:
    run("traffic", "digits", "canary", "--canary", 0.1)
    assert run("traffic", "digits", "canary", "--off") == (
        0,
        "digits: canary = version 1, no traffic of its own\n",
        "",
    )
    assert traffic_of(labelled) is None


@pytest.mark.parametrize(
    "wrong",
    [("--canary", "1.5"), ("--canary", "nan"), ("--shadow", "x"), ("--promote", "0.99"),
     ("--promote", "2/10"), ("--roll-back", "0/10"), ("--roll-back", "0.1/0"), ("--promote", "0.9/2000000")],
)  # fmt: skip
def test_what_is_no_rule_is_a_usage_error(labelled: Store, run: Run, wrong: tuple[str, str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run("traffic", "digits", "canary", *wrong)
    assert ended.value.code == 2
    assert traffic_of(labelled) is None


@pytest.mark.usefixtures("labelled")
def test_a_refusal_is_one_line(run: Run) -> None:
    code, out, err = run("traffic", "digits", "stable", "--canary", 0.1)
    assert (code, out) == (1, "")
    assert err.startswith("dvpt-adapters: 'stable' answers whatever no other label does")
