import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import ConfigError
from training.options.train_config import TrainConfig
from training.reproduce.experiments import TABLE_1, TABLE_3
from training.reproduce.plan import CellRow
from training.reproduce.reproduce import RESULTS, Reproduction
from training.reproduce.reproduce_config import ReproduceConfig
from training.search.ledger import Ledger
from training.search.search import Search

New = Callable[..., Reproduction]


@pytest.fixture
def new_reproduction(
    tmp_path: Path, new_config: Callable[..., TrainConfig], picture_folder: Callable[..., Path]
) -> New:
    """Of EuroSAT, three colours standing in for it, with the tiny backbone; DMLab has no data."""
    pictures = picture_folder(train=5, val=2, test=3)
    lists = tmp_path / "data" / "vtab-1k" / "eurosat"
    lists.parent.mkdir(parents=True)
    pictures.rename(lists)
    for name, split in (("train800", "train"), ("val200", "val"), ("test", "test")):
        files = sorted((lists / split).rglob("*.png"))
        labels = {folder: label for label, folder in enumerate(sorted({file.parent for file in files}))}
        lines = [f"{file.relative_to(lists)} {labels[file.parent]}" for file in files]
        (lists / f"{name}.txt").write_text("\n".join(lines))
    tiny = new_config()

    def make(experiment: Any = TABLE_1, more: dict[str, Any] | None = None, **options: Any) -> Reproduction:
        base = {
            "tasks": "eurosat,dmlab", "methods": "linear,vpt", "seeds": 1, "epochs": 1, "prompts": 2,
            "grid_lr": "0.01", "grid_weight_decay": "0", "data_root": tmp_path / "data", "device": "cpu",
            "backbone": tiny.backbone, "weights": tiny.weights, "image_size": 32, "runs": tmp_path / "runs",
            "out": tmp_path / "out",
        }  # fmt: skip
        config = ReproduceConfig.model_validate(base | options)
        return Reproduction(experiment, config, {"batch_size": 8, "precision": "fp32"} | (more or {}))

    return make


def rows(tmp_path: Path) -> list[CellRow]:
    return Ledger(tmp_path / "out" / RESULTS, CellRow).rows()


@pytest.mark.slow
def test_what_has_data_is_run_and_rendered_and_the_rest_is_named(
    tmp_path: Path, new_reproduction: New
) -> None:
    files = new_reproduction(seeds=2).execute("test")
    assert [path.name for path in files] == ["table1.md", "table1.csv", "table1.png"]
    assert [(row.method, row.task, len(row.values)) for row in rows(tmp_path)] == [
        ("linear", "eurosat", 2), ("vpt", "eurosat", 2)
    ]  # fmt: skip
    assert not any(row.official for row in rows(tmp_path))
    text = files[0].read_text()
    assert "EuroSAT†" in text
    assert "of the official VTAB-1k split" in text
    assert "- DMLab: no data found; VTAB-1k's DMLab can be had at https://www.tensorflow.org" in text
    assert "Clevr/count" in text.split("not asked for: ")[1]
    assert not (tmp_path / "runs" / "no-store").exists()


@pytest.mark.slow
def test_it_goes_on_where_it_was_stopped(
    tmp_path: Path, new_reproduction: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = Search.execute
    searched: list[str] = []

    def stopped(self: Search, command: str) -> Any:
        if searched:
            raise KeyboardInterrupt
        searched.append(self.config.method)
        return execute(self, command)

    with monkeypatch.context() as patched:
        patched.setattr(Search, "execute", stopped)
        with pytest.raises(KeyboardInterrupt):
            new_reproduction().execute("test")
    assert "- not run yet: VPT on EuroSAT" in (tmp_path / "out" / "table1.md").read_text()
    first = rows(tmp_path)
    new_reproduction().execute("test")
    assert [row.method for row in rows(tmp_path)] == ["linear", "vpt"]
    assert rows(tmp_path)[:1] == first
    with monkeypatch.context() as patched:
        patched.setattr(Search, "execute", stopped)
        files = new_reproduction().execute("test")
    assert "not run yet" not in files[0].read_text()


@pytest.mark.slow
def test_what_cannot_be_trained_is_listed_and_the_others_go_on(tmp_path: Path, new_reproduction: New) -> None:
    reproduction = new_reproduction(methods="linear,sidetune", tasks="eurosat")
    files = reproduction.execute("test")
    assert [row.method for row in rows(tmp_path)] == ["linear"]
    assert "- Sidetune on EuroSAT: sidetune's side network needs inputs of at least" in files[0].read_text()


@pytest.mark.slow
def test_a_search_of_one_table_serves_another(tmp_path: Path, new_reproduction: New) -> None:
    new_reproduction(methods="dvpt", tasks="eurosat").execute("test")
    new_reproduction(TABLE_3, methods=None, tasks="eurosat").execute("test")
    assert [row.directory for row in rows(tmp_path)] == list(
        dict.fromkeys(row.directory for row in rows(tmp_path))
    )
    assert len(rows(tmp_path)) == 2


@pytest.mark.slow
def test_figures_belong_to_the_pictures_they_were_measured_on(tmp_path: Path, new_reproduction: New) -> None:
    options = {"methods": "linear", "tasks": "eurosat"}
    new_reproduction(**options).execute("test")
    other = tmp_path / "other"
    shutil.copytree(tmp_path / "data", other)
    moved = new_reproduction(**options, data_root=other)
    assert "1 done, 0 to run" in moved.outlook()

    (other / "vtab-1k" / "eurosat" / "test" / "blue" / "000.png").write_bytes(
        (other / "vtab-1k" / "eurosat" / "test" / "blue" / "001.png").read_bytes()
    )
    changed = new_reproduction(**options, data_root=other)
    assert "0 done, 1 to run" in changed.outlook()
    first = rows(tmp_path)[0]
    assert first.key not in {cell.key for cell in changed.cells}
    changed.execute("test")
    assert len(rows(tmp_path)) == 2

    nowhere = new_reproduction(**options, data_root=tmp_path / "nowhere")
    text = nowhere.execute("test")[0].read_text()
    assert "Nothing has been measured yet" in text
    assert "- EuroSAT: no data found" in text


def test_other_weights_are_other_searches(tmp_path: Path, new_reproduction: New) -> None:
    (cell, _) = new_reproduction(methods="linear").cells
    weights = cell.config.weights
    assert weights is not None
    shutil.copy(weights, tmp_path / "copy.safetensors")
    copied = new_reproduction(methods="linear", weights=tmp_path / "copy.safetensors")
    assert copied.cells[0].key == cell.key
    (tmp_path / "copy.safetensors").write_bytes(b"others")
    assert new_reproduction(methods="linear", weights=tmp_path / "copy.safetensors").cells[0].key != cell.key
    assert new_reproduction(methods="linear", device="auto").cells[0].key == cell.key


@pytest.mark.slow
def test_options_reach_the_rows_that_can_use_them(
    tmp_path: Path, new_reproduction: New, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "training")
    more = {"drop_path": "0.1", "meta_layers": "6"}
    asked = new_reproduction(tasks="eurosat", more=more, methods="linear,dvpt")
    configs = {cell.system.name: cell.config for cell in asked.cells}
    assert configs["DVPT"].drop_path == 0.1
    assert configs["Linear"].drop_path is None
    assert "note: --drop-path has no use for linear" in asked.outlook()
    asked.execute("test")
    assert len(rows(tmp_path)) == 2
    assert "--meta-layers has no use for linear" in caplog.messages
    with pytest.raises(ConfigError, match="--drop-path has no use for linear"):
        new_reproduction(methods="linear", more={"drop_path": "0.1"})


def test_a_dry_run_says_how_long_and_writes_nothing(tmp_path: Path, new_reproduction: New) -> None:
    text = new_reproduction(grid_lr="0.01,0.02").outlook()
    assert "Table 1: every method on VTAB-1k: 4 searches, 0 done, 2 to run" in text
    assert "VPT on EuroSAT: 2 trials, 1 seeds, about" in text
    assert "missing: DMLab: no data found" in text
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "runs").exists()
