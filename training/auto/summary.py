"""`dvpt-train --method auto`: the choice, or what it would take, and what a user wants to know at the end."""

from dataclasses import dataclass

from training.auto.auto import WITHOUT_A_CHOICE, Auto
from training.auto.candidates import Candidate, candidate_of, options_of
from training.auto.words import choice_lines
from training.harmless import harmless
from training.run.dry_run import dry_run, measure, trial_s
from training.run.durations import duration
from training.run.publish import published_lines
from training.run.run import Run
from training.run.summary import summary
from training.run.workbench import KEPT_BYTES, Workbench
from training.search.search_config import SearchConfig


def auto(config: SearchConfig, command: str) -> str:
    """Choose, or say what would be done, and sum it up."""
    workbench = Workbench(KEPT_BYTES)
    chooser = Auto(config, workbench)
    if config.dry_run:
        return planned(chooser, workbench)
    run, outcome = chooser.execute(command)
    lines: list[str] = []
    if choice := outcome.findings.choice:
        lines += choice_lines(choice, run.config.method)
    with harmless("summary", f"what was measured stands in {outcome.run}"):
        return "\n".join([*lines, summary(run, outcome)])
    return "\n".join([*lines, *published_lines(run.config, outcome.store, outcome.version)])


@dataclass(frozen=True)
class _Cost:
    """Seconds of a candidate's trials, after a few real steps of it."""

    candidate: Candidate
    short_s: float
    whole_s: float

    def __str__(self) -> str:
        epochs = f"{self.candidate.epochs} epochs about {duration(self.whole_s)}"
        if self.candidate.short_epochs < self.candidate.epochs:
            epochs = f"{self.candidate.short_epochs} epochs about {duration(self.short_s)}, {epochs}"
        return f"{self.candidate.method}: {self.candidate.values:,} values, {epochs}"


def planned(chooser: Auto, workbench: Workbench) -> str:
    """What would be tried, and what each candidate and all of it would cost."""
    if not chooser.parts.pairs:
        why = f"nothing can be chosen: {chooser.parts.why}; {WITHOUT_A_CHOICE} would be trained"
        return f"{why}\n{dry_run(_final(chooser, WITHOUT_A_CHOICE, workbench))}"
    costs = [_cost(run) for run in chooser.trials.values()]
    tried = chooser.parts.folds or 1
    dearest = sorted((cost.whole_s for cost in costs if not cost.candidate.at_once), reverse=True)
    whole_s = 0.0 if chooser.parts.folds else sum(dearest[: max(2, len(dearest) // 2)])
    most_s = tried * sum(cost.short_s for cost in costs) + whole_s
    last = max(costs, key=lambda cost: cost.whole_s).candidate.method
    return "\n".join(
        [
            f"{len(costs)} candidates, chosen on {_where(chooser)}:",
            *(f"  {cost}" for cost in costs),
            f"time: at most about {duration(most_s)} for the choice",
            f"then the one that is taken, on all training pictures; {last} would be the dearest:",
            *(f"  {line}" for line in dry_run(_final(chooser, last, workbench)).splitlines()),
        ]
    )


def _final(chooser: Auto, method: str, workbench: Workbench) -> Run:
    """The run on all pictures that would be, if that method is taken."""
    return Run(options_of(chooser.config, method, runs=chooser.directory.path), workbench)


def _cost(run: Run) -> _Cost:
    candidate = candidate_of(run)
    costs = measure(run)
    whole_s = trial_s(run, costs) + len(run.train) * costs.inputs_s
    part = candidate.short_epochs / max(candidate.epochs, 1)
    return _Cost(candidate, whole_s * part, whole_s)


def _where(chooser: Auto) -> str:
    parts = chooser.parts
    if parts.folds:
        return f"{parts.folds} folds of {len(parts.held_out)} training pictures, in few epochs ({parts.why})"
    return f"val ({len(parts.held_out)} pictures), in few epochs and then, the better half, in all"
