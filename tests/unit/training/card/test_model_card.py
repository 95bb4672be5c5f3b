import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from training.card.findings import Findings, LinearBeside, Predictions
from training.card.model_card import class_rows, model_card
from training.card.provenance import (
    Choice,
    DataFacts,
    LinearHeadBeside,
    Metrics,
    ParameterCounts,
    Provenance,
    Seeds,
    TriedMethod,
)
from training.data.departures import OtherSize
from training.run_directory import EpochRecord

HISTORY = tuple(EpochRecord(epoch, 1.0 / epoch, 0.5, 0.01, 1.0) for epoch in (1, 2, 3))
PROVENANCE = Provenance(
    method="dvpt",
    backbone="tiny",
    metrics=Metrics(
        split="test", accuracy=0.9167, accuracy_low=0.6461, accuracy_high=0.9851, pictures=12,
        calibration_error=0.1,
    ),
    data=DataFacts(
        source="VTAB-1k lists in pets", trained_on="trainval", pictures=1000, train_sha256="cd" * 32,
        test_sha256="ab" * 32,
    ),
    departures=(
        OtherSize(benchmark="VTAB-1k", task="Pets", splits=("test",), pictures=12, official_pictures=3669),
    ),
    splits_made=(),
    seeds=Seeds(seed=0, split_seed=0),
    precision="bfloat16",
    options={"lr": 0.01, "name": None},
    packages={"torch": "2.11"},
    training_seconds=3.0,
    finished="2026-01-01T00:00:00+00:00",
    command="dvpt-train --task pets",
    parameters=ParameterCounts(with_head=10, without_head=7),
)  # fmt: skip


def findings(class_count: int = 3) -> Findings:
    labels = torch.arange(class_count).repeat(4)
    logits = torch.nn.functional.one_hot(labels, class_count).float()
    logits[0] = logits[1]  # one picture of class 0 is answered as class 1
    names = tuple(f"{row}.jpg" for row in range(len(labels)))
    classes = tuple(f"class|{index}" for index in range(class_count))
    return Findings("test", classes, Predictions(names, labels, logits), HISTORY)


def test_precision_recall_and_f1_of_each_class() -> None:
    rows = class_rows(findings())
    assert [row[0] for row in rows] == ["class|0", "class|1", "class|2"]
    figures = [(1.0, 0.75, 6 / 7, 4), (0.8, 1.0, 8 / 9, 4), (1.0, 1.0, 1.0, 4)]
    np.testing.assert_allclose([row[1:] for row in rows], figures)


def test_the_card_says_what_how_well_and_how_to_use_it() -> None:
    card = model_card("pets", findings(), PROVENANCE)
    text = card["README.md"].decode()
    for part in (
        "**0.9167** (95 % interval 0.6461 to 0.9851: Wilson's, of 12 pictures)",
        "/v1/tasks/pets/classify",
        "dvpt-train --task pets",
        "ab" * 32,
        "- departures: test: 12 pictures, not the 3669 of the official VTAB-1k split of Pets\n",
        "- splits made: none\n",
        "- parameters: with_head 10, without_head 7\n",
        "- options: lr 0.01\n",
    ):
        assert part in text
    assert "| class\\|0 | 3 | 1 | 0 |" in text
    assert "warm start" not in text


def test_the_card_shows_what_auto_chose_from_and_says_nothing_of_it_otherwise() -> None:
    tried = (
        TriedMethod(method="linear", values=1930, epochs=100, accuracy=0.8, behind=0.1, behind_error=0.03),
        TriedMethod(method="affine", values=11_146, epochs=4, dropped=True),
    )
    choice = Choice(pictures=100, folds=0, tried=tried, why="val has 100 pictures; it is the best")
    provenance = PROVENANCE.model_copy(update={"choice": choice})
    text = model_card("pets", replace(findings(), choice=choice), provenance)["README.md"].decode()
    assert "`--method auto` took dvpt: val has 100 pictures; it is the best.\n" in text
    assert "| linear | 1,930 | 100 | 0.8000 | 0.1000 | 0.0300 |\n" in text
    assert "| affine | 11,146 | 4, dropped then |  |  |  |\n" in text
    assert "- choice" not in text
    assert "auto" not in model_card("pets", findings(), PROVENANCE)["README.md"].decode()


@pytest.mark.parametrize("class_count", [2, 30, 60])
def test_the_plots_are_pictures(class_count: int) -> None:
    card = model_card("pets", findings(class_count), PROVENANCE)
    plots = [name for name in card if name.endswith(".png")]
    assert len(plots) == 4
    for name in plots:
        assert f"({name})" in card["README.md"].decode()
        assert np.asarray(Image.open(io.BytesIO(card[name]))).std() > 0


def test_many_classes_show_their_confusions_only() -> None:
    assert (
        "| class\\|0 | class\\|1 | 1 |" in model_card("pets", findings(30), PROVENANCE)["README.md"].decode()
    )


def test_the_linear_head_stands_beside_the_accuracy() -> None:
    alone = findings()
    assert "linear head" not in model_card("pets", alone, PROVENANCE)["README.md"].decode()
    beside = replace(alone, linear=LinearBeside(alone.predictions, values=6, strength=0.1))
    facts = LinearHeadBeside(
        accuracy=0.916667, difference=0.0, difference_low=-0.2, difference_high=0.2, values=6, strength=0.1
    )
    provenance = PROVENANCE.model_copy(update={"linear_head": facts})
    text = model_card("pets", beside, provenance)["README.md"].decode()
    assert "\n\nBeside it: linear head on the same features: 0.9167; dvpt is level with it (95 % " in text
    assert (
        "**dvpt is not above it beyond chance: --method linear is smaller (6 values) and as good here.**"
        in text
    )
    assert "- linear head: accuracy 0.916667, difference 0.0, " in text
