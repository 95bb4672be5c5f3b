"""Auto with a tiny backbone: every candidate trained, one published."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from adapters.store.store import Store
from training.auto.auto import Auto
from training.auto.rungs import ANSWERS, ROWS, AutoRow
from training.card.provenance import Provenance
from training.data.pixels import Decoder
from training.errors import CheckpointDamaged, DataUnusable, Diverged
from training.loop.calibration import fit_temperature
from training.loop.loop import Training
from training.methods.table import AUTO
from training.methods.table import rows_of as rows_of_the_table
from training.options.train_config import TrainConfig
from training.run.execution import Outcome, execute
from training.run.run import Run
from training.run.workbench import KEPT_BYTES, Workbench
from training.run_directory import CHECKPOINT
from training.search.ledger import Ledger
from training.search.search_config import SearchConfig

pytestmark = pytest.mark.slow
Make = Callable[..., Path]
NewAuto = Callable[..., SearchConfig]
CANDIDATES = {"linear", "affine", "dvpt", "dvpt-plus", "dvpt-wide"}


@pytest.fixture
def new_auto(new_config: Callable[..., TrainConfig]) -> NewAuto:
    """Options of auto on coloured pictures, five epochs for each candidate, two to begin with."""

    def make(data: Path, **options: Any) -> SearchConfig:
        plain = new_config(data=data, epochs=5).model_dump(exclude_unset=True)
        return SearchConfig.model_validate(plain | {"method": "auto"} | options)

    return make


@pytest.fixture
def pictures(picture_folder: Make) -> Path:
    """102 pictures of val, so that they count."""
    return picture_folder(train=10, val=34, test=4)


@pytest.fixture
def few(picture_folder: Make) -> Path:
    """Four pictures of each class to train on, and no val."""
    return picture_folder(train=4, test=4)


@pytest.fixture
def without_linear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what is best on these pictures, so that a method with two rungs is taken."""
    others = tuple(row for row in rows_of_the_table(AUTO) if row.name != "linear")
    monkeypatch.setattr("training.auto.candidates.rows_of", lambda _: others)


def run(config: SearchConfig) -> Outcome:
    return Auto(config, Workbench(KEPT_BYTES)).execute("test")[1]


def rows_of(config: SearchConfig) -> list[AutoRow]:
    (path,) = config.runs.glob(f"*/{ROWS}")
    return Ledger(path, AutoRow).rows()


def tried(rows: list[AutoRow]) -> list[tuple[str, int]]:
    return [(row.method, row.epochs) for row in rows if row.split == "val"]


def published(outcome: Outcome) -> Provenance:
    config = Store.open(outcome.store).config("colours", outcome.version or 0)
    return Provenance.model_validate(config.provenance)


def test_the_better_half_goes_on_and_the_one_that_is_taken_is_tested_once(
    new_auto: NewAuto, pictures: Path
) -> None:
    config = new_auto(pictures)
    outcome = run(config)
    rows = rows_of(config)
    short, whole, (final,) = rows[:5], rows[5:7], rows[7:]
    assert {(row.method, row.epochs) for row in short} == {
        (method, 0 if method == "linear" else 2) for method in CANDIDATES
    }
    assert [row.values for row in short] == sorted(row.values for row in short)
    assert {row.epochs for row in whole} == {5}
    best = max((row for row in short if row.method != "linear"), key=lambda row: row.accuracy or 0.0)
    assert best.accuracy in [row.accuracy for row in short if row.method in {one.method for one in whole}]
    assert (final.split, final.pictures, final.version) == ("test", 12, 1)
    assert {row.pictures for row in rows[:7]} == {102}
    assert outcome.provenance.data.pictures == 3 * 44
    assert outcome.provenance.options["method"] == final.method == outcome.provenance.method


def test_store_card_and_result_say_what_auto_chose_from(new_auto: NewAuto, pictures: Path) -> None:
    config = new_auto(pictures)
    outcome = run(config)
    choice = outcome.provenance.choice
    assert choice is not None
    assert (choice.pictures, choice.folds) == (102, 0)
    assert {one.method for one in choice.tried} == CANDIDATES
    assert sum(one.dropped for one in choice.tried) == 2
    measured = {(row.method, row.epochs): row.accuracy for row in rows_of(config) if row.split == "val"}
    for one in choice.tried:
        assert one.accuracy == pytest.approx(measured[one.method, one.epochs], abs=1e-6)
    assert published(outcome).choice == choice
    (directory,) = config.runs.iterdir()
    for result in (outcome.run / "result.json", directory / "result.json"):
        assert f'"why": "{choice.why}"' in result.read_text()
    card = Store.open(outcome.store).card("colours", 1)["README.md"].decode()
    assert f"`--method auto` took {outcome.provenance.method}: val has 102 pictures; " in card
    assert "| linear | " in card
    assert "2, dropped then" in card


def test_the_same_command_tries_nothing_again(
    new_auto: NewAuto, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = new_auto(pictures)
    before = run(config)
    monkeypatch.delattr(Training, "fit")
    again = run(config)
    assert (before.version, again.version) == (1, 2)
    assert again.provenance.choice == before.provenance.choice
    assert tried(rows_of(config)) == tried(rows_of(config)[:7])


def test_what_was_killed_goes_on_where_it_was(
    new_auto: NewAuto, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the end of an epoch of the sixth trial."""
    whole = run(new_auto(pictures, runs=tmp_path / "whole", publish=False))
    ends = {"count": 0}
    end_epoch = Training.end_epoch

    def killed(self: Training, *args: Any, **options: Any) -> Any:
        record = end_epoch(self, *args, **options)
        ends["count"] += self._epochs == 5
        if ends["count"] == 3:
            raise KeyboardInterrupt
        return record

    config = new_auto(pictures, publish=False)
    with monkeypatch.context() as patched:
        patched.setattr(Training, "end_epoch", killed)
        with pytest.raises(KeyboardInterrupt):
            run(config)
    assert len(rows_of(config)) == 5
    resumed = run(config)
    assert resumed.provenance.choice == whole.provenance.choice
    torch.testing.assert_close(resumed.findings.predictions.logits, whole.findings.predictions.logits)
    rows = rows_of(config)
    assert len(rows) == 8
    history = (config.runs / rows[5].run).parent.glob(f"*/{rows[5].run}/metrics.csv")
    assert [len(path.read_text().splitlines()) for path in history] == [1 + 5]


def test_answers_that_are_gone_are_made_again_and_damaged_ones_are_refused(
    new_auto: NewAuto, pictures: Path
) -> None:
    config = new_auto(pictures, publish=False)
    choice = run(config).provenance.choice
    answers = sorted(config.runs.glob(f"*/*/{ANSWERS}"))
    assert len(answers) == 7
    answers[0].unlink()
    assert run(config).provenance.choice == choice
    assert len(tried(rows_of(config))) == 8
    answers[1].write_bytes(b"\xff" * 40)
    with pytest.raises(CheckpointDamaged, match="start over with --fresh"):
        run(config)
    run(config.model_copy(update={"fresh": True}))
    assert len(rows_of(config)) == 8


def test_no_checkpoints_of_trials_are_left(new_auto: NewAuto, pictures: Path) -> None:
    config = new_auto(pictures, calibrate=False)
    outcome = run(config)
    assert outcome.findings.calibration is None
    (kept,) = config.runs.glob(f"*/*/{CHECKPOINT}")
    assert kept.parent == outcome.run


def test_test_pictures_are_not_opened_before_the_method_is_chosen(new_auto: NewAuto, pictures: Path) -> None:
    config = new_auto(pictures)
    broken = {path: path.read_bytes() for path in (pictures / "test").rglob("*.png")}
    for path in broken:
        path.write_bytes(b"no picture")
    with pytest.raises(DataUnusable, match="12 of 12 pictures"):
        run(config)
    assert len(rows_of(config)) == 7
    for path, content in broken.items():
        path.write_bytes(content)
    run(config)
    assert [row.split for row in rows_of(config)] == ["val"] * 7 + ["test"]


def test_candidates_that_diverge_are_out(new_auto: NewAuto, pictures: Path) -> None:
    config = new_auto(pictures, meta_lr_ratio=1e30)
    choice = run(config).provenance.choice
    assert choice is not None
    lost = {one.method for one in choice.tried if one.accuracy is None}
    diverged = {row.method for row in rows_of(config) if row.state == "diverged"}
    assert lost == diverged == {"dvpt", "dvpt-plus", "dvpt-wide"}
    second = rows_of(config)[5]
    assert (second.method, second.split) == ("affine", "val")


@pytest.mark.usefixtures("without_linear")
def test_where_all_diverge_nothing_is_trained_on_all_pictures(new_auto: NewAuto, pictures: Path) -> None:
    config = new_auto(pictures, weight_decay=1e30)
    with pytest.raises(Diverged, match="every candidate of auto diverged"):
        run(config)
    assert {(row.split, row.state) for row in rows_of(config)} == {("val", "diverged")}


@pytest.mark.usefixtures("without_linear")
def test_the_temperature_is_of_the_answers_that_it_was_chosen_by(new_auto: NewAuto, pictures: Path) -> None:
    config = new_auto(pictures, calibrate=True)
    chooser = Auto(config, Workbench(KEPT_BYTES))
    outcome = chooser.execute("test")[1]
    found = outcome.findings.calibration
    assert found is not None
    (row,) = (row for row in rows_of(config) if row.run == found.run)
    assert (row.method, row.split, row.epochs) == (outcome.provenance.method, "val", 5)
    logits = load_file(chooser.directory.path / row.run / ANSWERS)["logits"]
    labels = torch.tensor(chooser.parts.held_out.labels)
    assert (found.temperature, found.pictures) == (fit_temperature(logits, labels), 102)
    assert len(list(config.runs.glob("*/*/config.json"))) == 7, "a run more was trained for the temperature"


def test_few_pictures_are_answered_in_folds(new_auto: NewAuto, few: Path) -> None:
    config = new_auto(few, calibrate=True)
    outcome = run(config)
    rows = [row for row in rows_of(config) if row.split == "val"]
    assert {(row.fold, row.pictures) for row in rows} == {(fold, 3) for fold in (1, 2, 3, 4)}
    assert {row.epochs for row in rows} == {0, 2}
    assert len(rows) == 4 * 5
    choice = outcome.provenance.choice
    assert choice is not None
    assert (choice.pictures, choice.folds) == (12, 4)
    assert "val has 3 pictures (0.80 would be known to ± 0.23), so that all 12" in choice.why
    assert outcome.provenance.data.pictures == 12
    assert outcome.provenance.method == "linear"
    found = outcome.findings.calibration
    assert found is not None
    assert (found.pictures, found.run) == (12, next(config.runs.iterdir()).name)


@pytest.mark.usefixtures("without_linear")
def test_answers_of_few_epochs_are_not_taken_for_a_temperature(new_auto: NewAuto, few: Path) -> None:
    found = run(new_auto(few, calibrate=True)).findings.calibration
    assert found is None or found.pictures != 12


def test_a_single_epoch_is_one_rung(new_auto: NewAuto, pictures: Path) -> None:
    config = new_auto(pictures, epochs=1)
    choice = run(config).provenance.choice
    assert choice is not None
    assert not any(one.dropped for one in choice.tried)
    assert len(rows_of(config)) == 6


@pytest.mark.parametrize("shots", [1, 2])
def test_one_or_two_pictures_of_a_class_end_with_the_smallest(
    new_auto: NewAuto, pictures: Path, shots: int
) -> None:
    config = new_auto(pictures, shots=shots)
    outcome = run(config)
    assert outcome.provenance.method == "linear"
    assert [row.split for row in rows_of(config)] == ["test"]
    choice = outcome.provenance.choice
    assert choice is not None
    assert choice.why.startswith("nothing can be chosen: half of the classes have no more than")
    assert choice.tried == ()
    card = (outcome.run / "README.md").read_text()
    assert "`--method auto` took linear: nothing can be chosen" in card


def test_other_pictures_are_another_choice(new_auto: NewAuto, few: Path) -> None:
    config = new_auto(few, epochs=1)
    first = Auto(config, Workbench()).directory
    assert Auto(config, Workbench()).directory == first
    assert Auto(new_auto(few, epochs=2), Workbench()).directory != first
    (few / "train" / "amber" / "000.png").unlink()
    assert Auto(config, Workbench()).directory != first


def test_other_pictures_are_another_run_where_nothing_can_be_chosen(
    new_auto: NewAuto, picture_folder: Make
) -> None:
    data = picture_folder(train=1, test=2)
    config = new_auto(data)
    first = Auto(config, Workbench()).directory
    (data / "train" / "amber" / "000.png").write_bytes((data / "test" / "amber" / "000.png").read_bytes())
    assert Auto(config, Workbench()).directory != first


@pytest.mark.parametrize("fixture", ["pictures", "without_linear"])
def test_the_final_run_is_a_plain_one_of_that_method(
    new_auto: NewAuto, pictures: Path, new_config: Callable[..., TrainConfig], tmp_path: Path, fixture: str,
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    """The same bits and the same key as by `--method` alone, with nothing held back: val has told already."""
    request.getfixturevalue(fixture)
    outcome = run(new_auto(pictures, publish=False, calibrate=False))
    method = outcome.provenance.method
    assert (method == "linear") == (fixture == "pictures")
    epochs = {} if method == "linear" else {"epochs": 5}
    alone = {"method": method, "runs": tmp_path / "alone", "publish": False, "epochs": None}
    alone |= {"calibrate": False, "linear_floor": False}
    plain = Run(new_config(data=pictures, **{**alone, **epochs}))
    assert plain.directory.path.name == outcome.run.name
    assert torch.equal(
        execute(plain, "test").findings.predictions.logits, outcome.findings.predictions.logits
    )


def test_name_label_and_predictions_are_of_the_final_run(
    new_auto: NewAuto, few: Path, tmp_path: Path
) -> None:
    path = tmp_path / "answers.csv"
    outcome = run(new_auto(few, epochs=1, name="paint", label="canary", predictions=path))
    assert Store.open(outcome.store).task("paint").labels == {"canary": 1}
    assert len(path.read_text().splitlines()) == 1 + 12
    assert next(iter(tmp_path.glob("runs/paint-auto-*"))).is_dir()


def test_only_what_is_decoded_once_is_read(
    new_auto: NewAuto, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Train and val once for all candidates, all of both and test once for the final run."""
    asked: list[int] = []
    decode = Decoder.load

    def counting(self: Decoder, split: Any, title: str = "decoding") -> torch.Tensor:
        asked.append(len(split))
        return decode(self, split, title)

    monkeypatch.setattr(Decoder, "load", counting)
    run(new_auto(pictures, epochs=1))
    assert sorted(asked) == [12, 30, 102, 132]
