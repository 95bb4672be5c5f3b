"""`dvpt-adapters thresholds`, run as a user would."""

import json
from collections.abc import Callable

import pytest

from adapters.store.store import Store

Run = Callable[..., tuple[int, str, str]]


def test_thresholds_of_a_label(published_twice: Store, run: Run) -> None:
    ruled = {"classes": {"class 1": 0.8}, "default": None, "none_of_these": 0.25}
    assert run("thresholds", "digits", "stable")[:2] == (0, "none but those of the version\n")
    given = ("--class", "class 1=0.8", "--none-of-these", 0.25)
    code, out, _ = run("thresholds", "digits", "stable", *given)
    assert (code, json.loads(out)) == (0, ruled)
    assert json.loads(run("thresholds", "digits", "stable")[1]) == ruled
    rules = published_twice.task("digits").rules["stable"].thresholds
    assert rules is not None
    assert rules.model_dump() == ruled
    assert run("thresholds", "digits", "stable", "--off")[0] == 0
    assert published_twice.task("digits").rules == {}


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [(["--class", "River=0.5"], 1, "no class 'River'; there are: 'class 0'"),
     (["--off", "--default", "0.5"], 2, "--off takes all")],
)  # fmt: skip
def test_thresholds_that_make_no_sense(
    published_twice: Store, run: Run, options: list[str], code: int, said: str
) -> None:
    found, _, err = run("thresholds", "digits", "stable", *options)
    assert (found, published_twice.task("digits").rules) == (code, {})
    assert said in err


@pytest.mark.usefixtures("published_twice")
@pytest.mark.parametrize("options", [["--default", "1.5"], ["--class", "class 1"], ["--class", "=0.5"]])
def test_a_threshold_is_a_part(run: Run, options: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run("thresholds", "digits", "stable", *options)
    assert ended.value.code == 2
