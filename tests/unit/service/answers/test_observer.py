"""Which pictures are uncertain, and that every answer is told to all."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from adapters.store.files import open_files
from service.answers.drift import Drift
from service.answers.observer import AnswerObserver
from service.answers.recent_answers import Asked, RecentAnswers
from service.answers.samples import SampleLimits, Samples
from service.engine.protocol import Probabilities
from service.metrics import Metrics
from service.residents.lease import Lease
from service.residents.storage_threads import StorageThreads

MakeLease = Callable[..., Lease]


def rows(*values: list[float]) -> list[Probabilities]:
    return [np.array(row, dtype=np.float32) for row in values]


SURE, CLOSE, UNSURE, UNKNOWN = rows(
    [0.05, 0.9, 0.05], [0.45, 0.0, 0.55], [0.5, 0.25, 0.25], [0.38, 0.32, 0.3]
)


def observed(
    folder: Path, metrics: Metrics, threads: ThreadPoolExecutor, margin: float = 0.2
) -> AnswerObserver:
    limits = SampleLimits(1.0, margin, 9, 9)
    samples = Samples(open_files(folder), limits, cast("StorageThreads", threads), metrics)
    return AnswerObserver(Drift(metrics, {"digits"}), RecentAnswers(9), samples)


def test_uncertain_pictures_alone_are_kept_with_what_was_answered(
    tmp_path: Path, make_lease: MakeLease
) -> None:
    metrics, lease, pictures = Metrics(), make_lease(label="canary"), [b"\xff\xd8\xff1", b"2", b"3", b"4"]
    with ThreadPoolExecutor(1) as threads:
        observer = observed(tmp_path, metrics, threads, margin=0.05)
        with observer.keeping("digits", pictures) as kept:
            observer.answered(Asked("a", "k"), lease, [SURE, CLOSE, UNSURE, UNKNOWN], kept)
            observer.answered(Asked("b", "k"), lease, [UNKNOWN])
    found = [json.loads(path.read_text()) for path in tmp_path.glob("digits/*.json")]
    told = {facts["index"]: (facts["verdict"], facts["margin"]) for facts in found}
    assert told == {
        1: ("below_threshold", 0.1),
        2: ("below_threshold", 0.25),
        3: ("none_of_these", 0.06),
    }
    (close,) = [facts for facts in found if facts["index"] == 1]
    assert (close["task"], close["version"], close["label"], close["request_id"]) == (
        "digits",
        4,
        "canary",
        "a",
    )
    assert close["digest"] == lease.config.tensors_sha256
    assert close["classes"][0] == {"label": "class 2", "probability": 0.55}
    assert "k" not in close.values()
    (answer,) = observer.recent.of("digits", "a")
    assert answer.predicted.tolist() == [1, 2, 0, 0]
    assert metrics.registry.get_sample_value("dvpt_top_probability_count", {"task": "digits"}) == 5


@pytest.mark.parametrize(("margin", "kept"), [(0.0, 0), (0.85, 0), (0.851, 1)])
def test_a_picture_that_is_accepted_is_uncertain_by_its_margin(
    margin: float, kept: int, tmp_path: Path, make_lease: MakeLease
) -> None:
    with ThreadPoolExecutor(1) as threads:
        observer = observed(tmp_path, Metrics(), threads, margin)
        with observer.keeping("digits", [b"1"]) as held:
            observer.answered(Asked("a"), make_lease(), [SURE], held)
    assert len(list(tmp_path.glob("digits/*.json"))) == kept


def test_of_one_class_nothing_is_close(tmp_path: Path, make_lease: MakeLease) -> None:
    lease = make_lease(predicted=None)
    with ThreadPoolExecutor(1) as threads:
        observer = observed(tmp_path, Metrics(), threads, 1.0)
        with observer.keeping("digits", [b"1"]) as held:
            observer.answered(Asked("a"), lease, rows([1.0]), held)
    assert not list(tmp_path.glob("digits/*.json"))


def test_without_a_place_nothing_is_held(make_lease: MakeLease) -> None:
    observer = AnswerObserver(Drift(Metrics(), {"digits"}), RecentAnswers(9))
    with observer.keeping("digits", [b"1"]) as kept:
        assert kept == ()
        observer.answered(Asked("a"), make_lease(), [UNKNOWN], kept)
