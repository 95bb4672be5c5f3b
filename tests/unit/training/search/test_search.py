from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.store.store import Store
from training.data.pixels import Decoder
from training.errors import DataUnusable
from training.loop.loop import Training
from training.options.train_config import TrainConfig
from training.run.workbench import KEPT_BYTES, Workbench
from training.search.ledger import Ledger
from training.search.result import SearchResult
from training.search.search import ROWS, Search
from training.search.search_config import SearchConfig
from training.search.trials import TrialRow

pytestmark = pytest.mark.slow
Make = Callable[..., Path]
NewSearch = Callable[..., SearchConfig]


@pytest.fixture
def new_search(new_config: Callable[..., TrainConfig], picture_folder: Make) -> NewSearch:
    """A search of linear heads over two points on 18 + 9 coloured pictures."""
    data = picture_folder(train=6, val=3, test=4)

    def make(**options: Any) -> SearchConfig:
        plain = new_config(data=data, method="linear", epochs=3).model_dump(exclude_unset=True)
        grid = {"search": True, "grid_lr": (0.001, 0.05), "grid_weight_decay": (0.0,)}
        return SearchConfig.model_validate(plain | grid | options)

    return make


def run(config: SearchConfig) -> SearchResult:
    return Search(config, Workbench(KEPT_BYTES)).execute("test")


def rows_of(result: SearchResult) -> list[TrialRow]:
    return Ledger(Path(result.directory) / ROWS, TrialRow).rows()


def test_trials_are_measured_on_val_and_every_seed_once_on_test(new_search: NewSearch) -> None:
    result = run(new_search(seeds=2, seed=4))
    rows = rows_of(result)
    assert [(row.split, row.seed, row.pictures) for row in rows] == [
        ("val", 4, 9), ("val", 4, 9), ("test", 4, 12), ("test", 5, 12)
    ]  # fmt: skip
    best = max(rows[:2], key=lambda row: row.accuracy or 0.0)
    assert {(row.lr, row.weight_decay) for row in rows[2:]} == {(best.lr, best.weight_decay)}
    assert (result.lr, result.val_accuracy, result.trials) == (best.lr, best.accuracy, 2)
    assert result.accuracies == tuple(row.accuracy for row in rows[2:])
    assert result.mean == pytest.approx(sum(result.accuracies) / 2)
    assert result.parameters_without_head == 0 < result.parameters_with_head


def test_the_first_seeds_adapter_is_published(new_search: NewSearch) -> None:
    result = run(new_search(seeds=2))
    store = Store.open(Path(result.store))
    assert (result.version, store.resolve("colours")) == (1, 1)
    provenance = store.config("colours", 1).provenance
    assert provenance["metrics"]["accuracy"] == pytest.approx(result.accuracies[0], abs=1e-6)
    assert provenance["data"]["trained_on"] == "trainval"


def test_a_finished_search_is_published_again_wherever_and_not_trained_again(
    new_search: NewSearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(new_search(seeds=2))
    monkeypatch.delattr(Training, "fit")
    assert run(new_search(seeds=2)) == first.model_copy(update={"version": 2})
    places = {"store": tmp_path / "other", "name": "hues", "label": "canary"}
    again = run(new_search(seeds=2, predictions=tmp_path / "answers.csv", **places))
    assert again == first.model_copy(update={"store": str(tmp_path / "other")})
    assert Store.open(tmp_path / "other").resolve("hues", label="canary") == again.version == 1
    assert len((tmp_path / "answers.csv").read_text().splitlines()) == 1 + first.pictures
    assert run(new_search(seeds=2, publish=False)).version is None
    assert Store.open(Path(first.store)).resolve("colours") == 2


def test_predictions_are_written_of_a_finished_search(new_search: NewSearch, tmp_path: Path) -> None:
    first = run(new_search(publish=False))
    assert run(new_search(publish=False, predictions=tmp_path / "answers.csv")) == first
    assert len((tmp_path / "answers.csv").read_text().splitlines()) == 1 + first.pictures


def test_what_has_a_row_is_not_trained_again(new_search: NewSearch, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(new_search(publish=False))
    before = rows_of(result)
    with monkeypatch.context() as patched:
        patched.delattr(Decoder, "_decode")
        assert run(new_search(publish=False)) == result
    wider = run(new_search(publish=False, grid_lr=(0.001, 0.05, 0.2), seeds=2))
    assert wider.directory == result.directory
    assert rows_of(wider)[: len(before)] == before
    assert [row.lr for row in rows_of(wider)[len(before) :] if row.split == "val"] == [0.2]


def test_a_diverged_trial_is_a_row_and_the_search_goes_on(new_search: NewSearch) -> None:
    config = new_search(method="vpt", optimizer="sgd", grid_lr=(1e30, 0.01), publish=False)
    result = run(config)
    first, second, _ = rows_of(result)
    assert (first.state, first.accuracy, first.loss) == ("diverged", None, None)
    assert second.state == "finished"
    assert (result.lr, result.trials, result.diverged_trials) == (0.01, 2, 1)


def test_test_pictures_are_not_opened_before_everything_is_chosen(
    new_search: NewSearch, tmp_path: Path
) -> None:
    config = new_search()
    broken = {path: path.read_bytes() for path in (tmp_path / "pictures" / "test").rglob("*.png")}
    for path in broken:
        path.write_bytes(b"no picture")
    with pytest.raises(DataUnusable, match="12 of 12 pictures"):
        run(config)
    (ledger,) = (tmp_path / "runs").glob(f"*/{ROWS}")
    assert [row.split for row in Ledger(ledger, TrialRow).rows()] == ["val", "val"]
    for path, content in broken.items():
        path.write_bytes(content)
    result = run(config)
    assert [row.split for row in rows_of(result)] == ["val", "val", "test"]


def test_other_pictures_are_another_search(new_search: NewSearch, tmp_path: Path) -> None:
    result = run(new_search())
    (tmp_path / "pictures" / "val" / "amber" / "000.png").unlink()
    assert run(new_search()).directory != result.directory


def test_a_figure_is_of_the_test_pictures_that_are_there(new_search: NewSearch, tmp_path: Path) -> None:
    before = run(new_search(publish=False))
    place = tmp_path / "pictures" / "test" / "amber" / "000.png"
    kept = place.read_bytes()
    place.unlink()
    fewer = run(new_search(publish=False))
    assert (fewer.directory, fewer.pictures) == (before.directory, before.pictures - 1)
    assert [row.split for row in rows_of(fewer)] == ["val", "val", "test", "test"]
    place.write_bytes(kept)
    assert run(new_search(publish=False)) == before
    assert len(rows_of(fewer)) == 4


def test_only_the_first_final_run_has_a_card(new_search: NewSearch) -> None:
    result = run(new_search(seeds=2))
    (card,) = Path(result.directory).glob("*/README.md")
    assert next(row.run for row in rows_of(result) if row.split == "test") == card.parent.name


def test_no_checkpoints_of_trials_are_left(new_search: NewSearch) -> None:
    result = run(new_search())
    kept = {path.parent.name for path in Path(result.directory).glob("*/checkpoint.safetensors")}
    assert kept == {row.run for row in rows_of(result) if row.split == "test"}
