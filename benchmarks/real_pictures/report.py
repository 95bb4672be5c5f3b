"""Renders docs/results.md from what the runs left, and nothing else."""

import json
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.machine import processor_name
from benchmarks.real_pictures.plan import Plan
from benchmarks.real_pictures.predictions import Prediction, accuracy, read_predictions
from training.uncertainty import difference_interval, wilson

RESULTS = Path("docs/results.md")
TASK_NAMES = {"eurosat": "EuroSAT (3,000 test pictures)", "dtd10": "dtd10 (400 test pictures)"}
COMMANDS = "\n".join(
    f"    python -m benchmarks.real_pictures {stage}" for stage in ("train", "serve", "report")
)


def write_report(folder: Path, selections: list[Plan], finals: list[Plan]) -> None:
    """Write docs/results.md."""
    answers = {plan: read_predictions(plan.predictions(folder)) for plan in [*selections, *finals]}
    served = json.loads((folder / "served.json").read_text())
    parts = [
        _introduction(),
        _selection_table(selections, answers),
        _accuracy_table(finals, answers),
        _comparisons(finals, answers),
        _served_table(served),
    ]
    RESULTS.write_text("\n\n".join(parts) + "\n")


def _introduction() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "timm", "pillow"))
    return f"""# Results on real pictures

Two tasks on one frozen ViT-Tiny (`vit_tiny_patch16_224.augreg_in21k_ft_in1k`, 224 px): EuroSAT on its VTAB-1k lists
and ten DTD textures as an ImageFolder. Made by, in this order, from the root of a clone with `DVPT_DATA_ROOT` set:

{COMMANDS}

Machine: {processor_name()}, 2 cores, no GPU; Python {platform.python_version()}, {packages};
{datetime.now(UTC).date().isoformat()}. Not measured on a GPU."""


def _selection_table(plans: list[Plan], answers: dict[Plan, list[Prediction]]) -> str:
    lines = [
        "## Learning rate",
        "",
        "Chosen on EuroSAT's val200 after training on train800, the same two values for every method, and used for dtd10",
        "as it is. There is no drop path and no label smoothing; epochs are 15 (linear, on cached features, 100), and everything",
        "else is the default of `dvpt-train`.",
        "",
        "| task | method | " + " | ".join(f"lr {lr:g}" for lr in _rates(plans)) + " |",
        "|---|---|" + "---:|" * len(_rates(plans)),
    ]
    for task, method in dict.fromkeys((plan.task, plan.method) for plan in plans):
        row = [plan for plan in plans if (plan.task, plan.method) == (task, method)]
        cells = " | ".join(f"{accuracy(answers[plan]):.3f}" for plan in row)
        lines.append(f"| {task} | {method} | {cells} |")
    return "\n".join(lines)


def _accuracy_table(plans: list[Plan], answers: dict[Plan, list[Prediction]]) -> str:
    seeds = sorted({plan.seed for plan in plans})
    lines = [
        "## Accuracy",
        "",
        "Trained on train and val together with the chosen learning rate, tested once. In brackets Wilson's 95 %",
        "interval of one run's test, by the number of its pictures.",
        "",
        "| task | method | lr | " + " | ".join(f"seed {seed}" for seed in seeds) + " | mean |",
        "|---|---|---:|" + "---:|" * (len(seeds) + 1),
    ]
    for task, method in dict.fromkeys((plan.task, plan.method) for plan in plans):
        row = [plan for plan in plans if (plan.task, plan.method) == (task, method)]
        values = [(accuracy(answers[plan]), len(answers[plan])) for plan in row]
        cells = " | ".join(f"{value:.4f} ({wilson(value, count).text()})" for value, count in values)
        mean = sum(value for value, _ in values) / len(values)
        lines.append(f"| {TASK_NAMES[task]} | {method} | {row[0].lr:g} | {cells} | {mean:.4f} |")
    return "\n".join(lines)


def _comparisons(plans: list[Plan], answers: dict[Plan, list[Prediction]]) -> str:
    lines = [
        "### DVPT against the others",
        "",
        "Difference of the accuracies on the same pictures with its 95 % interval. Of one seed a side it is that of the",
        "pictures alone: these adapters on other pictures. Nothing is said about other seeds; docs/evidence.md has three.",
        "",
        "| task | against | difference | 95 % interval |",
        "|---|---|---:|---:|",
    ]
    for task in dict.fromkeys(plan.task for plan in plans):
        ours = _runs(plans, answers, task, "dvpt")
        for other in ("linear", "vpt"):
            theirs = _runs(plans, answers, task, other)
            found = difference_interval(ours, theirs)
            difference = np.mean(ours) - np.mean(theirs)
            lines.append(f"| {task} | {other} | {difference:+.4f} | {found.low:+.4f} to {found.high:+.4f} |")
    return "\n".join(lines)


def _served_table(served: dict[str, Any]) -> str:
    lines = [
        "## Served",
        "",
        "The adapters of seed 0, published and served by one `dvpt-serve` process; every test picture sent as its JPEG",
        f"file over HTTP, all tasks mixed, 32 requests in flight: {served['pictures_per_batch']} pictures and",
        f"{served['tasks_per_batch']} distinct tasks in a batch on average, over {served['batches']} batches. Offline is",
        "`dvpt-train`'s own evaluation at the same precision (bfloat16).",
        "",
        "| published as | pictures | served accuracy | top-1 identical to offline |",
        "|---|---:|---:|---:|",
    ]
    lines += [
        f"| {name} | {row['pictures']} | {row['served_accuracy']:.4f} | {100 * row['identical_top1']:.2f} % |"
        for name, row in served["tasks"].items()
    ]
    return "\n".join(lines)


def _rates(plans: list[Plan]) -> list[float]:
    return list(dict.fromkeys(plan.lr for plan in plans))


def _runs(
    plans: list[Plan], answers: dict[Plan, list[Prediction]], task: str, method: str
) -> list[list[bool]]:
    """Each seed's answers, pictures in an order that is the same for every method."""
    chosen = [plan for plan in plans if (plan.task, plan.method) == (task, method)]
    return [[prediction.correct for prediction in answers[plan]] for plan in chosen]
