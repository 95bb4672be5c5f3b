"""Divergences against their definition and by chance, and what the metrics are told."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from service.answers.drift import EVERY, FEWEST, WINDOW, Drift, PredictionWindow, divergence
from service.metrics import Metrics
from service.residents.lease import Lease

MakeLease = Callable[..., Lease]

COUNTS = st.lists(st.integers(0, 50), min_size=3, max_size=3).filter(any)


@given(COUNTS, COUNTS, st.integers(2, 9))
def test_it_is_symmetric_and_from_0_to_1(one: list[int], other: list[int], times: int) -> None:
    found = divergence(one, other)
    assert 0 <= found <= 1
    assert found == pytest.approx(divergence(other, one))
    assert divergence(one, [times * count for count in one]) == 0


@given(COUNTS, COUNTS)
def test_of_many_pictures_it_is_jensen_and_shannons(one: list[int], other: list[int]) -> None:
    first, second = ([10**7 * count for count in counts] for counts in (one, other))
    expected = float(jensenshannon(first, second, base=2)) ** 2
    assert divergence(first, second) == pytest.approx(expected, abs=1e-6)


def test_of_disjoint_classes_it_is_almost_1() -> None:
    assert divergence([WINDOW, 0], [0, WINDOW]) > 0.99


@pytest.mark.parametrize(("classes", "pictures"), [(2, FEWEST), (10, FEWEST), (10, WINDOW), (200, WINDOW)])
def test_few_pictures_of_one_distribution_are_no_drift(classes: int, pictures: int) -> None:
    draw = np.random.default_rng(1)
    parts = draw.dirichlet(np.full(classes, 2.0))
    val = draw.multinomial(2 * WINDOW, parts)
    found = [divergence(draw.multinomial(pictures, parts), val) for _ in range(50)]
    assert np.mean(found) < 0.01
    assert max(found) < 0.05


def test_a_window_tells_once_it_has_enough_and_forgets_what_is_old() -> None:
    window = PredictionWindow(1, [50, 50])
    told = [window.add([0, 1]) for _ in range(FEWEST // 2)]
    assert [value for value in told if value is not None] == [0.0]
    shifted = [window.add([0]) for _ in range(WINDOW)]
    values = [value for value in shifted if value is not None]
    assert len(values) == WINDOW // EVERY
    assert values == sorted(values)
    assert values[-1] == divergence([WINDOW, 0], [50, 50])


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"dvpt_{name}", {"task": "digits"} | labels)


def test_every_picture_is_counted_by_its_probability_and_verdict(make_lease: MakeLease) -> None:
    metrics = Metrics()
    Drift(metrics, {"digits"}).answered(make_lease(), [(0, 0.97), (1, 0.55), (2, 0.35), (2, 0.8)])

    assert sample(metrics, "top_probability_count") == 4
    assert sample(metrics, "top_probability_bucket", le="0.6") == 2
    verdicts = {verdict: sample(metrics, "judged_pictures_total", verdict=verdict)
                for verdict in ("accepted", "below_threshold", "none_of_these")}  # fmt: skip
    assert verdicts == {"accepted": 2, "below_threshold": 1, "none_of_these": 1}


def test_the_divergence_is_of_stable_and_begins_anew_with_another_version(make_lease: MakeLease) -> None:
    metrics = Metrics()
    drift = Drift(metrics, {"digits"})
    moved = [(2, 0.9)] * FEWEST
    for lease in (make_lease(label="canary"), make_lease(label=None), make_lease(predicted=None)):
        drift.answered(lease, moved)
    assert sample(metrics, "class_divergence") is None
    drift.answered(make_lease(), moved[:-1])
    drift.answered(make_lease(version=5), moved[:1])
    assert sample(metrics, "class_divergence") is None
    drift.answered(make_lease(version=5), moved)
    assert (sample(metrics, "class_divergence") or 0.0) > 0.3


def test_tasks_that_share_a_series_have_no_divergence(make_lease: MakeLease) -> None:
    metrics = Metrics(most_tasks=0)
    Drift(metrics, {"digits"}).answered(make_lease(), [(2, 0.9)] * FEWEST)
    value = metrics.registry.get_sample_value
    assert value("dvpt_top_probability_count", {"task": "other"}) == FEWEST
    assert value("dvpt_class_divergence", {"task": "other"}) is None


def test_windows_of_tasks_that_are_gone_are_dropped(make_lease: MakeLease) -> None:
    tasks = {"digits", "new"}
    drift = Drift(Metrics(), tasks)
    drift.answered(make_lease(), [(0, 0.9)])
    tasks.remove("digits")
    drift.answered(make_lease(task="new"), [(0, 0.9)])
    assert list(drift._windows) == ["new"]
