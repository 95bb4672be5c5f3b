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


def cell_text(score: Score | None, *, digits: int = 1, best: bool = False) -> str:
    """`80.1 ± 0.4 (80.3, −0.2)`: ours, over seeds, the paper's, the difference where they compare.

    Of one seed `80.1 [77.5 to 82.4]`, by the test pictures; the best of a column is bold.
    """
    if score is None:
        return ""
    value = f"{score.value:.{digits}f}"
    bold = "**" if best else ""
    part = "" if score.tasks == score.of_tasks else f", mean of {score.tasks} of {score.of_tasks} tasks"
    mark = "" if score.official else DAGGER
    return f"{bold}{value}{bold}{_spread(score, digits)}{mark}{_published(score, digits)}{part}"


def signed(value: float, digits: int = 1) -> str:
    """With a sign and a true minus; nothing has no sign."""
    text = f"{value:+.{digits}f}"
    return text.replace("-", "−") if float(text) else text[1:]


def _column(scores: Sequence[Score | None], digits: int) -> list[str]:
    """Cells of a column, the best bold: all that are printed as the same figure.

    None is where there is one row, or where means are of more tasks in one row than in another.
    """
    known = [score for score in scores if score is not None]
    fair = len(known) > 1 and len({score.tasks for score in known}) == 1
    most = max(round(score.value, digits) for score in known) if fair else None
    return [
        cell_text(score, digits=digits, best=score is not None and round(score.value, digits) == most)
        for score in scores
    ]


def _spread(score: Score, digits: int) -> str:
    """Over seeds; by the test pictures where there is one seed, or where all came to the same."""
    if score.std is not None and round(score.std, digits):
        return f" ± {score.std:.{digits}f}"
    return f" [{score.interval.text(digits)}]" if score.interval else ""


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
    if any(not row.std for row in rows):
        over += "; in square brackets Wilson's 95 % interval by the test pictures alone"
    backbones = sorted({f"`{row.backbone}` at {row.image_size} px" for row in rows})
    lines = [f"{text}; {counted}{over}. Bold: the best of a column. Backbone: {', '.join(backbones)}."]
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
        columns = [
            _column([scores.score(system, task) for system in scores.systems], scores.experiment.digits)
            for task in tasks
        ]
        columns.append(_column([scores.mean(system, block) for system in scores.systems], 2))
        parts += [f"## {block}", _table(header, scores, columns)]
    return [*parts, "## Summary", _summary(scores)]


def _summary(scores: Scores) -> str:
    several = len(scores.experiment.blocks) > 1
    header = ["", "trained parameters without head", "time of one training"]
    columns = list(map(list, zip(*(_costs(scores, system) for system in scores.systems), strict=True)))
    for block in scores.blocks():
        header.append(block)
        columns.append(_column([scores.mean(system, block) for system in scores.systems], 2))
        if several:
            header.append("wins")
            columns.append([_wins(scores, system, block) for system in scores.systems])
    if several:
        header += ["mean of the groups", "wins against Full"]
        columns.append(_column([scores.mean_of_means(system) for system in scores.systems], 2))
        columns.append([_wins(scores, system) for system in scores.systems])
    return _table(header, scores, columns)


def _table(header: Sequence[str], scores: Scores, columns: Sequence[Sequence[str]]) -> str:
    """A row for each system, its name before the cells of the columns."""
    names = [system.name for system in scores.systems]
    return table(header, list(zip(names, *columns, strict=True)))


def _costs(scores: Scores, system: System) -> tuple[str, str]:
    """Parameters and time, the mean over tasks."""
    rows = [row for task in scores.tasks if (row := scores.row(system, task))]
    if not rows:
        return "", ""
    parameters = statistics.fmean(row.parameters_without_head for row in rows)
    return f"{parameters:,.0f}", duration(statistics.fmean(row.training_seconds for row in rows))


def _wins(scores: Scores, system: System, block: str | None = None) -> str:
    wins = scores.wins(system, block)
    if wins is None:
        return ""
    return f"{wins[0]} of {wins[2]}" + (f" (paper: {wins[1]})" if system.beside else "")


def _curve(scores: Scores) -> list[str]:
    """A row for each system, a column for each part of the training pictures."""
    parts = []
    for block, tasks in scores.blocks().items():
        header = ["", *(f"{percent} %" for percent in scores.percents)]
        columns = [
            _column([scores.mean(system, block, percent) for system in scores.systems], 2)
            for percent in scores.percents
        ]
        titles = ", ".join(_title(scores, task) for task in tasks)
        parts += [f"## {block}", f"Mean over {titles}.", _table(header, scores, columns)]
    return parts


def _title(scores: Scores, task: str) -> str:
    official = all(row.official for row in scores.rows if row.task == task)
    return TASKS[task].title + ("" if official else DAGGER)


def _footnotes(scores: Scores) -> list[str]:
    shown = {system.name: system.note for system in scores.systems if system.note}
    lines = "\n".join(f"- {name}: {note}" for name, note in shown.items())
    rows = [f"Rows that are not the paper's in all:\n\n{lines}"] if shown else []
    return rows + _other_data(scores)


def _other_data(scores: Scores) -> list[str]:
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
