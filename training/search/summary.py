"""`dvpt-train --search`: the search, and what a user wants to know at its end."""

from training.run.dry_run import dry_run
from training.run.publish import published_lines
from training.run.run import Run
from training.run.workbench import KEPT_BYTES, Workbench
from training.search.grid import Point, grid
from training.search.result import SearchResult
from training.search.search import ROWS, Search
from training.search.search_config import SearchConfig
from training.search.trials import ON_TRAIN


def search(config: SearchConfig, command: str) -> str:
    """Search, or say what would be done, and sum it up."""
    workbench = Workbench(KEPT_BYTES)
    if config.dry_run:
        return planned(config, workbench)
    return summary(config, Search(config, workbench).execute(command))


def planned(config: SearchConfig, workbench: Workbench) -> str:
    """What one trial costs, and how many there are."""
    points = grid(config)
    chosen = {"lr": points[0].lr, "optimizer": points[0].optimizer}
    trial = Run(config.plain(**{**ON_TRAIN, **chosen}), workbench)
    lines = [str(point) for point in points]
    return "\n".join(
        [
            f"{len(points)} trials of train on val, then {config.seeds} of train and val on test:",
            *(f"  {line}" for line in lines),
            "one trial:",
            *(f"  {line}" for line in dry_run(trial).splitlines()),
        ]
    )


def summary(config: SearchConfig, result: SearchResult) -> str:
    """The chosen point, accuracy over seeds, where everything is."""
    spread = "" if result.std is None else f" ± {result.std:.4f} over {len(result.seeds)} seeds"
    lost = len(result.diverged_seeds)
    point = Point(result.optimizer, result.lr, result.weight_decay)
    lines = [
        f"chosen: {point} (val {result.val_accuracy:.4f}, {result.trials} trials, "
        f"{result.diverged_trials} diverged)",
        f"accuracy on test: {result.mean:.4f}{spread} (95 % {result.interval.text()} by its "
        f"{result.pictures} pictures)" + (f"; {lost} seeds diverged and are left out" if lost else ""),
        f"parameters: {result.parameters_with_head:,} with head, {result.parameters_without_head:,} without",
        f"seconds: {result.total_seconds:.1f}, training {result.training_seconds:.1f} each time",
        *(f"note: {how}" for how in (*result.departures, *result.splits_made)),
        f"trials: {result.directory}/{ROWS}",
    ]
    if config.publishes and config.seed in result.diverged_seeds:
        return "\n".join([*lines, f"not published: seed {config.seed} diverged"])
    seed = f", seed {config.seed},"
    return "\n".join([*lines, *published_lines(config, result.store, result.version, seed)])
