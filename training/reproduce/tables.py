"""A reproduced table as Markdown and as CSV."""

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from training.card.markdown import table
from training.data.catalogue import TASKS
from training.reproduce import paper
from training.reproduce.experiments import Experiment, System
from training.reproduce.plan import CellRow
from training.reproduce.scores import Score, Scores
from training.run.durations import duration

DAGGER = "†"
COLUMNS = (
    "experiment", "row", "task", "tasks", "of_tasks", "percent", "accuracy", "std", "low", "high", "seeds",
    "published", "difference", "official", "optimizer", "lr", "weight_decay", "epochs", "prompts", "trials",
    "parameters_without_head", "training_seconds", "backbone", "image_size",
)  # fmt: skip


def markdown(scores: Scores, missing: Mapping[str, str]) -> str:
    """The whole document: figures, what they rest on, and `missing`, why a task or cell has none."""
    experiment = scores.experiment
    parts = [f"# {experiment.title}", _introduction(scores)]
    if scores.rows:
        parts += _curve(scores) if len(experiment.percents) > 1 else _blocks(scores)
        parts += _footnotes(scores)
    parts += _missing(scores, missing)
    return "\n\n".join(parts) + "\n"


def write_csv(scores: Scores, path: Path) -> None:
    """A line for each cell and each mean."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for percent in scores.percents:
        for system in scores.systems:
            for block, tasks in scores.blocks().items():
                writer.writerows(_lines(scores, system, block, tasks, percent))
    path.write_text(text.getvalue(), encoding="utf-8")


def cell_text(score: Score | None, *, digits: int = 1) -> str:
    """`80.1 ± 0.4 (80.3, −0.2)`: ours, over seeds, the paper's, the difference where they compare."""
    if score is None:
        return ""
    spread = "" if score.std is None else f" ± {score.std:.1f}"
    part = "" if score.tasks == score.of_tasks else f", mean of {score.tasks} of {score.of_tasks} tasks"
    mark = "" if score.official else DAGGER
    return f"{score.value:.{digits}f}{spread}{mark}{_published(score, digits)}{part}"


def signed(value: float, digits: int = 1) -> str:
    """With a sign and a true minus; nothing has no sign."""
    text = f"{value:+.{digits}f}"
    return text.replace("-", "−") if float(text) else text[1:]


def _published(score: Score, digits: int) -> str:
    if score.published is None:
        return ""
    difference = "" if score.difference is None else f", {signed(score.difference, digits)}"
    return f" ({score.published:.{digits}f}{difference})"


def _introduction(scores: Scores) -> str:
    text = "Top-1 on test in per cent"
    if scores.experiment.published:
        text += ", in brackets the paper's figure and the difference to it"
    if not scores.rows:
        return f"{text}. Nothing has been measured yet."
    rows = scores.rows
    seeds = sorted({len(row.values) for row in rows})
    counted = "one seed" if seeds == [1] else f"{' to '.join(map(str, {seeds[0]: 0, seeds[-1]: 0}))} seeds, ±"
    over = "" if seeds == [1] else " their sample standard deviation"
    backbones = sorted({f"`{row.backbone}` at {row.image_size} px" for row in rows})
    lines = [f"{text}; {counted}{over}. Backbone: {', '.join(backbones)}."]
    if any(row.backbone not in paper.BACKBONES or row.image_size != paper.IMAGE_SIZE for row in rows):
        lines.append(
            f"The paper's backbone is ViT-B/16 pre-trained on ImageNet-21k at {paper.IMAGE_SIZE} px: figures "
            "of another one do not compare with it, so that no differences are given for them."
        )
    if any(
        len(tasks) < len(scores.experiment.blocks.get(name, ())) for name, tasks in scores.blocks().items()
    ):
        lines.append("A mean of some of a group's tasks stands beside the paper's mean of the same tasks.")
    lost = sum(row.diverged_seeds for row in rows)
    if lost:
        lines.append(f"{lost} final trainings diverged and are left out of the means.")
    return " ".join(lines)


def _blocks(scores: Scores) -> list[str]:
    parts = []
    for block, tasks in scores.blocks().items():
        header = ["", *(_title(scores, task) for task in tasks), "mean"]
        rows = [
            [
                system.name,
                *(cell_text(scores.score(system, task)) for task in tasks),
                cell_text(scores.mean(system, block), digits=2),
            ]
            for system in scores.systems
        ]
        parts += [f"## {block}", table(header, rows)]
    return [*parts, "## Summary", _summary(scores)]


def _summary(scores: Scores) -> str:
    blocks = list(scores.blocks())
    several = len(scores.experiment.blocks) > 1
    header = ["", "trained parameters without head", "time of one training", *blocks]
    header += ["mean of the groups", "wins against Full"] if several else []
    rows = []
    for system in scores.systems:
        means = [cell_text(scores.mean(system, block), digits=2) for block in blocks]
        more = [cell_text(scores.mean_of_means(system), digits=2), _wins(scores, system)] if several else []
        rows.append([system.name, *_costs(scores, system), *means, *more])
    return table(header, rows)


def _costs(scores: Scores, system: System) -> tuple[str, str]:
    """Parameters and time, the mean over tasks."""
    rows = [row for task in scores.tasks if (row := scores.row(system, task))]
    if not rows:
        return "", ""
    parameters = statistics.fmean(row.parameters_without_head for row in rows)
    return f"{parameters:,.0f}", duration(statistics.fmean(row.training_seconds for row in rows))


def _wins(scores: Scores, system: System) -> str:
    wins = scores.wins(system)
    return "" if wins is None else f"{wins[0]} of {wins[2]} (paper: {wins[1]})"


def _curve(scores: Scores) -> list[str]:
    """A row for each system, a column for each part of the training pictures."""
    parts = []
    for block, tasks in scores.blocks().items():
        header = ["", *(f"{percent} %" for percent in scores.percents)]
        rows = [
            [
                system.name,
                *(cell_text(scores.mean(system, block, percent), digits=2) for percent in scores.percents),
            ]
            for system in scores.systems
        ]
        titles = ", ".join(_title(scores, task) for task in tasks)
        parts += [f"## {block}", f"Mean over {titles}.", table(header, rows)]
    return parts


def _title(scores: Scores, task: str) -> str:
    official = all(row.official for row in scores.rows if row.task == task)
    return TASKS[task].title + ("" if official else DAGGER)


def _footnotes(scores: Scores) -> list[str]:
    notes: dict[str, str] = {}
    for row in scores.rows:
        if not row.official:
            notes[row.task] = row.notes
    if not notes:
        return []
    lines = "\n".join(f"- {TASKS[task].title}: {how}" for task, how in notes.items())
    return [
        f"{DAGGER} Not the benchmark's own pictures or splits, so that no difference is given:\n\n{lines}"
    ]


def _missing(scores: Scores, missing: Mapping[str, str]) -> list[str]:
    wanted = [task for task in scores.experiment.tasks if task not in {c.task.name for c in scores.cells}]
    lines = [f"- {what}: {why}" for what, why in missing.items()]
    if wanted:
        lines.append(f"- not asked for: {', '.join(TASKS[task].title for task in wanted)}")
    return ["## Missing", "\n".join(lines)] if lines else []


def _lines(
    scores: Scores, system: System, block: str, tasks: Sequence[str], percent: int
) -> list[dict[str, object]]:
    lines = []
    for task in tasks:
        row, score = scores.row(system, task, percent), scores.score(system, task, percent)
        if row and score:
            line = _line(scores.experiment, system, percent, score) | {"task": task}
            lines.append(line | _details(row))
    mean = scores.mean(system, block, percent)
    if mean:
        lines.append(_line(scores.experiment, system, percent, mean) | {"task": f"mean of {block}"})
    return lines


def _line(experiment: Experiment, system: System, percent: int, score: Score) -> dict[str, object]:
    numbers = {
        "accuracy": score.value,
        "std": score.std,
        "published": score.published,
        "difference": score.difference,
    }
    return {
        "experiment": experiment.name,
        "row": system.name,
        "tasks": score.tasks,
        "of_tasks": score.of_tasks,
        "percent": percent,
        "official": score.official,
    } | {name: "" if value is None else f"{round(value, 4) + 0.0:.4f}" for name, value in numbers.items()}


def _details(row: CellRow) -> dict[str, object]:
    names = set(COLUMNS) & set(CellRow.model_fields) - {"task", "percent"}
    facts = {name: getattr(row, name) for name in names}
    ends = {"low": f"{100 * row.interval.low:.4f}", "high": f"{100 * row.interval.high:.4f}"}
    return facts | ends | {"seeds": len(row.values)}
