from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from adapters.errors import LabelNotFound, StoreNotFound, TaskNotFound, VersionNotFound
from adapters.store.store import Store
from training.errors import MethodUnsuitable
from training.options.train_config import TrainConfig
from training.run.execution import execute
from training.run.run import Run

pytestmark = pytest.mark.slow
New = Callable[..., TrainConfig]
Make = Callable[..., Path]


@pytest.fixture
def published(new_config: New, picture_folder: Make) -> Callable[..., TrainConfig]:
    """Publish `colours` version 1, and give the configuration of a run that may start from it."""
    folder = picture_folder(train=6, test=2)

    def make(first: dict[str, Any], **second: Any) -> TrainConfig:
        execute(Run(new_config(data=folder, **first)), "first")
        return new_config(data=folder, seed=1, **{"warm_start": "colours", **second})

    return make


def tensors_of(run: Run) -> dict[str, torch.Tensor]:
    return run.method.module.state_dict()


@pytest.mark.parametrize("method", ["dvpt", "vpt", "linear", "dvpt-plus", "affine", "bottleneck"])
def test_a_run_starts_with_the_published_tensors(published: New, method: str) -> None:
    run = Run(published({"method": method}, method=method))
    artifact = Store.open(run.placement.store).load("colours", 1)
    prefix = "head." if method == "linear" else ""
    assert {f"{prefix}{name}" for name in tensors_of(run)} == set(artifact.tensors)
    for name, tensor in tensors_of(run).items():
        assert torch.equal(tensor, artifact.tensors[f"{prefix}{name}"].float()), name


def test_it_is_named_in_the_result_and_repeated_by_version(published: New) -> None:
    run = Run(published({}, warm_start="colours@stable"))
    outcome = execute(run, "second")
    assert outcome.version == 2
    assert outcome.provenance.warm_start is not None
    assert outcome.provenance.warm_start.version == "colours@1"
    assert 'warm_start = "colours@1"' in (outcome.run / "config.toml").read_text()
    # stable is version 2 now: the label starts another run, the version the same one.
    again = run.config.model_copy(update={"warm_start": "colours@1"})
    assert Run(again).directory.path == outcome.run
    assert Run(run.config).directory.path != outcome.run


def test_it_changes_the_run_and_what_is_learned(published: New) -> None:
    config = published({"epochs": 6, "lr": 0.02}, epochs=1, lr=1e-6)
    warm = Run(config)
    cold = Run(config.model_copy(update={"warm_start": None}))
    assert warm.directory.path != cold.directory.path
    losses = [execute(run, "second").findings.history[0].loss for run in (warm, cold)]
    assert losses[0] < 0.8 * losses[1]


def test_other_classes_get_a_fresh_head(published: New, tmp_path: Path) -> None:
    config = published({}, replace_classes=True)
    (tmp_path / "pictures" / "train" / "amber").rename(tmp_path / "pictures" / "train" / "auburn")
    (tmp_path / "pictures" / "test" / "amber").rename(tmp_path / "pictures" / "test" / "auburn")
    run = Run(config)
    artifact = Store.open(run.placement.store).load("colours", 1)
    state = tensors_of(run)
    assert torch.equal(state["body.prompts"], artifact.tensors["body.prompts"].float())
    assert not torch.equal(state["head.0.weight"], artifact.tensors["head.0.weight"].float())


@pytest.mark.parametrize(
    ("options", "error", "complaint"),
    [
        ({"method": "vpt"}, MethodUnsuitable, "colours version 1 is of method dvpt, not vpt"),
        ({"prompt_count": 3}, MethodUnsuitable, r"colours version 1, which has count 2, not 3"),
        ({"dynamic_layers": "all"}, MethodUnsuitable, r"dynamic_layers first, not all"),
        ({"warm_start": "pets"}, TaskNotFound, "the store has: colours"),
        ({"warm_start": "colours@7"}, VersionNotFound, "it has: 1"),
        ({"warm_start": "colours@canary"}, LabelNotFound, "stable"),
        ({"store": Path("nowhere")}, StoreNotFound, "there is no store at nowhere"),
    ],
)
def test_what_cannot_be_started_from_is_refused(
    published: New, options: dict[str, Any], error: type[Exception], complaint: str
) -> None:
    config = published({}, **options)
    with pytest.raises(error, match=complaint):
        Run(config)


def test_a_head_alone_for_other_classes_leaves_nothing_to_start_from(published: New, tmp_path: Path) -> None:
    config = published({"method": "linear"}, method="linear", name="reddish")
    for split in ("train", "test"):
        folder = tmp_path / "pictures" / split
        (folder / "amber").rename(folder / "auburn")
    with pytest.raises(MethodUnsuitable, match="nothing of colours version 1"):
        Run(config)


def test_a_head_of_several_maps_is_made_anew(published: New) -> None:
    with pytest.raises(MethodUnsuitable, match="nothing of colours version 1"):
        Run(published({"method": "mlp"}, method="mlp"))
