import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import ConfigError
from training.data.catalogue import TASKS
from training.data.task_data import open_task
from training.methods import with_recipe
from training.methods.table import METHODS
from training.options.train_config import TrainConfig
from training.reproduce import paper
from training.reproduce.experiments import EXPERIMENTS, FIGURE_3, TABLE_1, TABLE_2, TABLE_3
from training.reproduce.plan import Cell, CellRow, cells, chosen_systems, data_at_hand, left_out
from training.reproduce.reproduce_config import ReproduceConfig
from training.search.ledger import Ledger
from training.search.result import SearchResult


def plan(name: str, **options: object) -> tuple[Cell, ...]:
    return cells(EXPERIMENTS[name], ReproduceConfig.model_validate(options), {})


def test_every_table_has_a_cell_for_each_published_value() -> None:
    assert len(plan("table1")) == (11 + 3) * 19
    assert len(plan("table2")) == 3 * 5
    assert len(plan("table3")) == 2 * 3
    assert len(plan("fig3")) == 3 * 5 * 7
    for experiment in (TABLE_1, TABLE_2, TABLE_3):
        assert set(experiment.published) == {system.beside for system in experiment.systems} - {""}
        assert set(experiment.tasks) == set(next(iter(experiment.published.values())))
    assert FIGURE_3.tasks == paper.FGVC_TASKS


def test_what_is_not_the_papers_is_a_row_on_request_with_its_own_recipe() -> None:
    assert "dvpt-plus" not in {cell.system.slug for cell in plan("table1", tasks="dtd")}
    paper, plus = plan("table1", tasks="dtd", methods="dvpt,dvpt-plus")
    assert (paper.config.head_first, paper.config.hold_back, paper.config.calibrate) == (False, 0.0, False)
    assert (paper.config.label_smoothing, paper.config.steps, paper.config.prompt_count) == (0.0, 0, 10)
    own = with_recipe(plus.config)
    assert (own.method, own.head_first, own.prompt_start, own.prompt_count) == (
        "dvpt-plus",
        True,
        "tokens",
        0,
    )
    assert own.label_smoothing == METHODS["dvpt-plus"].recipe.label_smoothing


def test_rows_are_the_options_of_their_methods() -> None:
    options = {cell.system.name: cell.config for cell in plan("table1", tasks="dtd")}
    assert (options["Partial-1"].method, options["Partial-1"].partial_blocks) == ("partial", 1)
    assert [options[f"Mlp-{k}"].head_layers for k in (2, 5)] == [2, 5]
    assert [options[f"Adapter-{r}"].sequential_reduction for r in (64, 8)] == [64, 8]
    assert [cell.config.meta_layers for cell in plan("table2", tasks="dtd")] == [2, 4, 6]
    assert [cell.config.meta_net for cell in plan("table3", tasks="dtd")] == ["shared", "specific"]
    assert [cell.config.train_percent for cell in plan("fig3", tasks="cub", methods="full")] == [
        10, 20, 30, 40, 50, 60, 70
    ]  # fmt: skip
    for config in options.values():
        assert config.search
        assert not config.publishes


def test_fgvc_is_cropped_and_flipped_as_in_the_paper_and_vtab_is_not() -> None:
    (bird,) = plan("fig3", tasks="cub", methods="dvpt", percents="10")
    assert (bird.config.fit, bird.config.random_crop, bird.config.flip) == ("crop", "shift", 0.5)
    assert bird.config.train_percent == 10
    assert not any(cell.config.augments for cell in plan("table1"))
    options = ReproduceConfig.model_validate({"tasks": "cub", "methods": "dvpt", "percents": "10"})
    (still,) = cells(FIGURE_3, options, {"flip": 0.0, "random_crop": "none"})
    assert not still.config.augments


def test_bottlenecks_have_both_starts() -> None:
    rows = {cell.system.name: cell for cell in plan("table1", tasks="dtd")}
    for name in ("Adapter-64", "Adapter-8"):
        other = rows[f"{name} zero"]
        assert (rows[name].config.sequential_init, other.config.sequential_init) == ("kaiming", "vpt_zero")
        assert rows[name].config.sequential_reduction == other.config.sequential_reduction
        assert (rows[name].system.beside, other.system.beside) == (name, name)


@pytest.mark.parametrize(
    ("prompts", "expected"), [(None, (200, 10, 10)), ("published", (200,) * 3), ("25", (25,) * 3)]
)
def test_prompt_counts(prompts: str | None, expected: tuple[int, ...]) -> None:
    chosen = plan("table1", tasks="clevr_dist", methods="vpt,vpt-as-dvpt,dvpt", prompts=prompts)
    assert tuple(cell.config.prompt_count for cell in chosen) == expected


def test_equal_searches_of_two_tables_are_one() -> None:
    first = {cell.key for cell in plan("table1", tasks="dtd,eurosat", methods="dvpt")}
    assert first < {cell.key for cell in plan("table2", tasks="dtd,eurosat")}
    assert first < {cell.key for cell in plan("table3", tasks="dtd,eurosat")}
    assert not first & {cell.key for cell in plan("table1", tasks="dtd,eurosat", methods="dvpt", seeds=4)}
    twice = {key for key, count in Counter(cell.key for cell in plan("table1")).items() if count > 1}
    both = [cell for cell in plan("table1") if cell.key in twice]
    assert {cell.system.name for cell in both} == {"VPT", "VPT as DVPT"}
    assert {cell.task.vpt_prompts for cell in both} == {10}


def test_options_for_every_run_come_after_the_tables_own() -> None:
    options = ReproduceConfig(tasks=("dtd",), methods=("vpt", "dvpt-plus"))
    more = {"prompt_dropout": 0.1, "prompt_count": 3}
    found = [cell.config for cell in cells(TABLE_1, options, more)]
    assert [config.prompt_dropout for config in found] == [0.1, 0.1]
    assert [config.prompt_count for config in found] == [TASKS["dtd"].vpt_prompts, 3]
    systems = chosen_systems(TABLE_1, options)
    assert left_out(TABLE_1, systems, more) == [
        "--prompt-count does not change vpt (--prompts before -- does)"
    ]


@pytest.mark.parametrize(
    ("options", "more", "complaint"),
    [
        ({"methods": ("lora",)}, {}, "no row 'lora'; its rows: full, linear, partial-1"),
        ({"percents": "10,30"}, {}, "--percents changes nothing of table1, only of fig3"),
        ({}, {"lr": 0.1}, "lr is the search's to choose"),
        ({}, {"warmup": "x"}, "warmup: Input should be a valid number"),
    ],
)
def test_what_cannot_be_planned_is_told(
    options: dict[str, object], more: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        cells(TABLE_1, ReproduceConfig.model_validate(options), more)


@pytest.mark.parametrize(
    ("name", "more", "complaint"),
    [
        ("table1", {"prompt_count": 3}, "--prompt-count has no use for full, .*; --prompt-count does not"),
        ("table2", {"meta_layers": 3}, "--meta-layers does not change 2-layers, .*, which is of these rows"),
        ("fig3", {"train_percent": 50}, r"--train-percent does not change full, .* \(--percents before"),
    ],
)
def test_what_the_rows_say_themselves_is_refused(name: str, more: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        cells(EXPERIMENTS[name], ReproduceConfig(), more)


def test_tasks_go_by_any_of_their_names_and_strange_ones_are_refused() -> None:
    assert ReproduceConfig(tasks=("pets", "vtab-cifar(num_classes=100)")).tasks == (
        "oxford_iiit_pet",
        "cifar",
    )
    with pytest.raises(ValueError, match="did you mean eurosat"):
        ReproduceConfig(tasks=("eurosatt",))


def test_only_data_that_is_there_or_can_be_drawn_is_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DVPT_DATA_ROOT", raising=False)
    (tmp_path / "vtab-1k" / "dtd").mkdir(parents=True)
    found = {
        cell.task.name: (data_at_hand(cell, download=False), data_at_hand(cell, download=True))
        for cell in plan("table1", methods="linear", data_root=tmp_path)
    }
    assert found["dtd"] == found["dsprites_loc"] == (True, True)
    assert found["svhn"] == (False, True)
    assert found["dmlab"] == (False, False)


def search_result(**facts: Any) -> SearchResult:
    base = {
        "task": "dsprites_loc", "method": "dvpt", "optimizer": "adamw", "lr": 0.01, "weight_decay": 0.0,
        "epochs": 1, "trials": 1, "diverged_trials": 0, "val_accuracy": 0.5, "val_pictures": 2, "seeds": (0,),
        "diverged_seeds": (), "accuracies": (0.5,), "pictures": 2, "parameters_with_head": 2,
        "parameters_without_head": 1, "training_seconds": 1.0, "total_seconds": 1.0, "backbone": "tiny",
        "image_size": 32, "source": "here", "departures": (), "splits_made": (), "store": "store",
        "version": None, "directory": "runs/x",
    }  # fmt: skip
    return SearchResult.model_validate(base | facts)


@pytest.mark.slow
def test_pictures_drawn_by_formula_are_known_as_not_official(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the data to the file and back; a note on how a split was made is no departure."""
    monkeypatch.delenv("DVPT_DATA_ROOT", raising=False)
    (cell,) = plan("table1", tasks="dsprites_loc", methods="dvpt")
    data = open_task(TrainConfig(task="dsprites_loc"))
    official = CellRow.of(cell, search_result(splits_made=("train: not the official words, but a note",)))
    drawn = CellRow.of(cell, search_result(departures=data.departures))
    ledger = Ledger(tmp_path / "results.csv", CellRow)
    for row in (official, drawn):
        ledger.append(row)
    assert ledger.rows() == [official, drawn]
    assert [row.official for row in ledger.rows()] == [True, False]
    assert ledger.rows()[1].departures == data.departures
    with ledger.path.open(newline="") as file:
        assert [line["official"] for line in csv.DictReader(file)] == ["True", "False"]
