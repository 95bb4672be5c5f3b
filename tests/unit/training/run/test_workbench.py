from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from training.data.departures import SplitName
from training.data.source import Split
from training.options.train_config import TrainConfig
from training.run.execution import execute
from training.run.run import Run
from training.run.workbench import Memory, Workbench

Make = Callable[..., Path]
New = Callable[..., TrainConfig]


def test_the_oldest_is_forgotten_first() -> None:
    memory = Memory(limit_bytes=10)
    tensors = [torch.zeros(4, dtype=torch.uint8) for _ in range(3)]
    for name, tensor in zip("abc", tensors, strict=True):
        assert memory.put(name, tensor) is tensor
    assert memory.get("a") is None
    assert memory.get("b") is tensors[1]
    memory.put("large", torch.zeros(11, dtype=torch.uint8))
    assert memory.get("large") is None
    assert memory.get("c") is tensors[2]


def answers(run: Run) -> torch.Tensor:
    return execute(run, "test").findings.predictions.logits


@pytest.mark.slow
def test_shared_parts_give_the_answers_of_a_run_alone(
    tmp_path: Path, new_config: New, picture_folder: Make
) -> None:
    data = picture_folder(train=6, val=3, test=4)
    bench = Workbench(10**9)
    for method in ("linear", "mlp", "partial", "vpt"):
        options = {"data": data, "publish": False, "lr": 0.01, "method": method}
        shared = Run(new_config(**options, runs=tmp_path / "shared"), bench)
        alone = Run(new_config(**options, runs=tmp_path / "alone"))
        assert torch.equal(answers(shared), answers(alone)), method


def test_runs_on_other_parts_of_the_pictures_share_the_rest(new_config: New, picture_folder: Make) -> None:
    bench = Workbench(10**9)
    options = {"data": picture_folder(train=6, val=3, test=4), "method": "linear", "publish": False}
    whole = Run(new_config(**options), bench)
    train = whole.data.splits["train"]
    parts: dict[SplitName, Split] = {"train": train.rows(range(9)), "val": train.rows(range(9, 18))}
    on_train = {"train_split": "train", "eval_split": "val"}
    part = Run(new_config(**options, **on_train), bench.parted(whole.data.with_splits(parts, "halves")))
    assert (part.train.names, part.held_out.names) == (train.names[:9], train.names[9:])
    assert part.backbone is whole.backbone
    assert part.decoder.load(part.train) is whole.decoder.load(part.train)
    assert len(Run(new_config(**options, **on_train), bench).train) == 18
    assert len(Run(new_config(**options), bench).train) == 27


def test_a_second_run_decodes_and_computes_nothing_again(new_config: New, picture_folder: Make) -> None:
    data = picture_folder(train=6, val=3, test=4)
    bench = Workbench(10**9)
    options: dict[str, Any] = {
        "data": data, "method": "linear", "train_split": "train", "eval_split": "val", "publish": False
    }  # fmt: skip
    first, second = (Run(new_config(**options, lr=lr), bench) for lr in (0.01, 0.02))
    assert first.backbone is second.backbone
    pixels = first.decoder.load(first.train)
    assert second.decoder.load(second.train) is pixels
    features = bench.inputs(first.method, first.config, first.backbone, pixels, first.train)
    assert bench.inputs(second.method, second.config, second.backbone, pixels, second.train) is features
    both = Run(new_config(data=data, method="linear"), bench)
    whole = both.decoder.load(both.train)
    assert len(bench.inputs(both.method, both.config, both.backbone, whole, both.train)) == 27
    other = Run(new_config(**options, split_seed=1), bench)
    assert other.decoder.load(other.train) is not pixels
