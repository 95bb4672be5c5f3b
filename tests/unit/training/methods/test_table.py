"""A method is one file and one row: rows tell the truth, and a row more is all that a new method needs."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from adapters.kinds.combined.options import CombinedOptions
from adapters.kinds.dvpt.options import DvptOptions
from adapters.vit.backbone import Backbone, random_backbone
from training.methods import build_method, with_recipe
from training.methods.table import AUTO, METHODS, MethodRow, method_help, names, options_of, rows_of
from training.options.train_config import TrainConfig

New = Callable[..., TrainConfig]
ROOT = Path(__file__).resolve().parents[4]
ROWS = [pytest.param(row, id=row.name) for row in METHODS.values()]
OPTION_OF_EACH_RECIPE = (
    "epochs", "steps", "lr", "head_layers", "head_lr_ratio", "bottleneck_width", "bottleneck_lr_ratio",
    "model_ema_decay", "drop_path", "label_smoothing", "random_shift", "hold_back",
)  # fmt: skip

A_FILE = """
from training.methods.linear import LinearMethod


class HalfMethod(LinearMethod):
    def inputs(self, images):
        return super().inputs(images) / 2

    def adapter(self):
        return None
"""
A_ROW = """
    MethodRow(
        "half", "training.methods.half", "HalfMethod", "nothing, and the head has half the features",
        recipe=Recipe(epochs=3, steps=0, lr=0.125, drop_path=0.0),
        through_blocks=False, inputs="half the features",
    ),
"""
THE_GRID = """
from training.search.grid import grid
from training.search.search_config import SearchConfig

print(*grid(SearchConfig(task="x", search=True, method="half")), sep="\\n")
"""
END_OF_THE_TABLE = "\n)  # fmt: skip\nMETHODS:"


@pytest.fixture(scope="module")
def backbone_64() -> Backbone:
    """Large enough for every method."""
    return random_backbone(img_size=64, patch_size=16, embed_dim=48, depth=2, num_heads=2)


def in_a_process(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """A new interpreter that finds the packages in `cwd`, and in the repository what is not there."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("module", ["training.methods.table", "training.cli", "training.search.grid"])
def test_choosing_a_method_imports_no_torch(module: str) -> None:
    heavy = "{'torch', 'timm', 'torchvision'}"
    done = in_a_process("-c", f"import sys, {module}; print(sorted({heavy} & set(sys.modules)))")
    assert done.stdout.strip() == "[]", done.stderr


@pytest.fixture
def with_another_method(tmp_path: Path) -> Path:
    """A folder with a copy of `training` that has a file and a row more, and is else as it was."""
    copy = tmp_path / "copy"
    ignored = shutil.ignore_patterns("__pycache__")
    methods = shutil.copytree(ROOT / "training", copy / "training", ignore=ignored) / "methods"
    (methods / "half.py").write_text(A_FILE)
    table = (methods / "table.py").read_text()
    assert table.count(END_OF_THE_TABLE) == 1
    (methods / "table.py").write_text(table.replace(END_OF_THE_TABLE, A_ROW + END_OF_THE_TABLE.lstrip()))
    return copy


def test_a_row_and_a_file_make_a_method(
    new_config: New, picture_folder: Callable[..., Path], with_another_method: Path
) -> None:
    """It is offered, has its own defaults and its own wording of what it cannot do, and trains."""

    def train(*flags: str) -> subprocess.CompletedProcess[str]:
        return in_a_process("-m", "training.cli", *flags, cwd=with_another_method)

    text = " ".join(train("--help").stdout.split())
    assert "sequential,sidetune,half}" in text
    assert "half: nothing, and the head has half the features" in text
    assert "mlp 100; half 3)" in text
    assert "half 0.125)" in text
    config = new_config(data=picture_folder(train=4, test=2))
    flags = [
        "--method", "half", "--task", config.task, "--data", str(config.data), "--image-size", "32",
        "--backbone", str(config.backbone), "--weights", str(config.weights), "--device", "cpu",
        "--store", str(config.store), "--runs", str(config.runs),
    ]  # fmt: skip
    refused = train(*flags, "--drop-path", "0.1")
    assert refused.returncode == 2
    assert "drop_path has no use for half" in refused.stderr
    done = train(*flags)
    assert done.returncode == 0, done.stderr
    assert "not published: a service cannot run half" in done.stdout
    (run,) = config.runs.glob("colours-half-*")
    assert len((run / "metrics.csv").read_text().splitlines()) == 1 + 3
    searched = in_a_process("-c", THE_GRID, cwd=with_another_method)
    assert "learning rate 0.375, weight decay 0.01" in searched.stdout, searched.stderr


@pytest.mark.parametrize("row", ROWS)
def test_a_rows_file_is_there_and_has_what_it_names(row: MethodRow) -> None:
    assert callable(row.load(row.build))
    assert not row.joint or callable(row.load(row.joint))
    assert (ROOT / row.module.replace(".", "/")).with_suffix(".py").is_file()
    assert not row.parameter or row.parameter in TrainConfig.model_fields


@pytest.mark.parametrize("row", ROWS)
def test_what_a_row_says_of_inputs_and_blocks_is_so(
    new_config: New, backbone_64: Backbone, row: MethodRow
) -> None:
    method = build_method(backbone_64, with_recipe(new_config(method=row.name)), 3)
    images = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)
    inputs = method.inputs(images)
    assert (inputs is images) == (row.inputs == "pixels")
    reached: list[bool] = []
    last = backbone_64.vit.get_submodule("blocks.1.mlp")  # a block that rows reach into is not called whole
    handle = last.register_forward_hook(lambda _module, _inputs, output: reached.append(output.requires_grad))
    torch.autograd.backward(method.logits(inputs).sum())
    handle.remove()
    assert any(reached) == row.through_blocks


@pytest.mark.parametrize("row", ROWS)
def test_what_a_row_says_of_prompts_is_so(new_config: New, backbone_64: Backbone, row: MethodRow) -> None:
    config = with_recipe(new_config(method=row.name))
    options = config.kind_options
    assert options.kind == row.kind
    prompts = options.dvpt if isinstance(options, CombinedOptions) else options
    assert isinstance(prompts, DvptOptions) == (row.prompts != "none")
    assert (getattr(prompts, "meta_net", "none") != "none") == (row.prompts == "dynamic")
    trained = {name for name, _ in build_method(backbone_64, config, 3).module.named_parameters()}
    assert any(name.endswith("prompts") for name in trained) == (row.prompts != "none")


@pytest.mark.parametrize("row", ROWS)
def test_drop_path_is_a_default_only_where_it_has_a_use(row: MethodRow) -> None:
    assert (row.recipe.drop_path > 0) == row.through_blocks


@pytest.mark.parametrize("row", ROWS)
def test_every_method_brings_its_own_defaults(new_config: New, row: MethodRow) -> None:
    config = with_recipe(new_config(method=row.name, epochs=None))
    for option in OPTION_OF_EACH_RECIPE:
        assert getattr(config, option) == getattr(row.recipe, option)


def test_what_was_asked_for_stays(new_config: New) -> None:
    config = with_recipe(new_config(epochs=7, lr=0.25))
    assert (config.epochs, config.lr) == (7, 0.25)


def test_pictures_that_are_cut_at_random_are_not_moved_beside_it(new_config: New) -> None:
    assert with_recipe(new_config()).random_shift == 1 / 32
    assert with_recipe(new_config(random_crop="resized")).random_shift == 0.0
    assert with_recipe(new_config(random_shift=0.1)).random_shift == 0.1


@pytest.mark.parametrize("option", OPTION_OF_EACH_RECIPE)
def test_the_help_tells_every_methods_default(option: str) -> None:
    told = re.search(r"\(default: ([^)]*)\)", TrainConfig.model_fields[option].description or "")
    assert told
    usual, *others = told[1].split("; ")
    values = dict.fromkeys(METHODS, float(usual))
    for other in others:
        methods, value = other.rsplit(" ", 1)
        values |= dict.fromkeys(methods.split(", "), float(value))
    assert values == {row.name: getattr(row.recipe, option) for row in METHODS.values()}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("dvpt", {"method": "dvpt"}),
        ("mlp-5", {"method": "mlp", "head_layers": 5}),
        ("partial-2", {"method": "partial", "partial_blocks": 2}),
        ("sequential-64", {"method": "sequential", "sequential_reduction": 64}),
    ],
)
def test_a_number_behind_a_name_is_an_option(name: str, options: dict[str, Any]) -> None:
    assert options_of(name) == options
    assert TrainConfig.model_validate({"task": "digits"} | options_of(name)).method == options["method"]


@pytest.mark.parametrize("name", ["adapter", "adapter-8", "magic"])
def test_a_name_without_a_row_is_none(name: str) -> None:
    with pytest.raises(KeyError):
        options_of(name)


def test_auto_stands_for_the_candidates_and_has_no_row() -> None:
    assert [row.name for row in rows_of(AUTO)] == ["dvpt", "dvpt-plus", "dvpt-wide", "affine", "linear"]
    assert all(row.served for row in rows_of(AUTO))
    assert AUTO not in METHODS
    assert rows_of("full") == (METHODS["full"],)
    with pytest.raises(KeyError):
        options_of(AUTO)


def test_only_dvpt_train_offers_auto() -> None:
    assert AUTO not in method_help()
    assert "auto tries dvpt, dvpt-plus, dvpt-wide, affine, linear and keeps" in method_help(with_auto=True)


def test_the_document_has_every_row() -> None:
    text = (ROOT / "docs" / "training.md").read_text()
    told = re.findall(
        r"^\| `([\w-]+)` \| .* \| (yes|no) \| (?:learning rate )?([\d.]+), (\d+) epochs \|$", text, re.M
    )
    assert told == [
        (row.name, "yes" if row.served else "no", f"{row.recipe.lr:g}", str(row.recipe.epochs))
        for row in METHODS.values()
    ]
    served = ("dvpt", "vpt", "dvpt-plus", "dvpt-wide", "affine", "bottleneck", "linear", "mlp", "bias")
    assert names(lambda row: row.served) == served
