"""`--method auto`: candidates by successive halving on val, the one that is taken trained on all pictures."""

import logging
import time
from dataclasses import dataclass
from typing import Any

from training.auto.candidates import candidate_of, options_of, trials
from training.auto.choice import Chosen, Lost, Tried, choose, compared, going_on
from training.auto.parts import parted
from training.auto.rungs import AutoRow, Rungs
from training.auto.words import why_taken
from training.card.findings import Calibration
from training.card.provenance import Choice
from training.methods.method import Parameters
from training.options.train_config import TrainConfig
from training.run.calibrated import calibrated
from training.run.execution import Outcome, execute
from training.run.identity import Identity
from training.run.record import RESULT
from training.run.run import Run
from training.run.workbench import Workbench
from training.run_directory import find_directory
from training.search.search_config import SearchConfig
from training.search.trials import row_of

LOG = logging.getLogger("training")
WITHOUT_A_CHOICE = "linear"


@dataclass(frozen=True)
class Decision:
    """The method that is taken, how it came to that, and the temperature of its answers, if that is known."""

    method: str
    choice: Choice
    calibration: Calibration | None = None


class Auto:
    """One task, every candidate.

    Trials are known from `auto.csv` and go on from their own checkpoints. Test pictures are opened only when
    the method is chosen.
    """

    def __init__(self, config: SearchConfig, workbench: Workbench) -> None:
        self.config = config
        self._workbench = workbench
        self.probe = Run(options_of(config, WITHOUT_A_CHOICE), workbench)
        self.parts = parted(self.probe.data, self.probe.config)
        self.trials = trials(config, workbench.parted(self.parts.pairs[0])) if self.parts.pairs else {}
        keys = {method: run.identity.key for method, run in self.trials.items()}
        # Not of the test pictures, which nothing here has seen.
        contents = {name: value for name, value in self.probe.contents.items() if name != "test_sha256"}
        key = Identity({"candidates": keys, "folds": self.parts.folds}, contents).key
        self.directory = find_directory(config.runs, f"{config.published_name}-auto", key)
        self._rungs = Rungs(config, self.parts, workbench, self.directory)

    def execute(self, command: str) -> tuple[Run, Outcome]:
        """Try what was not tried yet, train what is taken, test it once, publish it. Raises Diverged."""
        with self.directory.claimed(fresh=self.config.fresh):
            decision = self._decide(command)
            LOG.info("auto: %s; %s", decision.method, decision.choice.why)
            began = time.perf_counter()
            run = Run(self._final(decision), self._workbench)
            outcome = execute(run, command, calibration=decision.calibration, choice=decision.choice)
            row = row_of(run, outcome, time.perf_counter() - began)
            values = Parameters.of(run.method).with_head
            self._rungs.ledger.append(AutoRow(**row.model_dump(), values=values))
            result = {"run": outcome.run.name, "version": outcome.version}
            self.directory.write_json(RESULT, result | outcome.provenance.plain())
        return run, outcome

    def _final(self, decision: Decision) -> TrainConfig:
        """Options of the run on all pictures: what val has told already needs no pictures held back."""
        told: dict[str, Any] = {}
        if decision.choice.tried:
            told["linear_floor"] = False
        if decision.calibration is not None:
            told["hold_back"] = 0.0
        return options_of(self.config, decision.method, runs=self.directory.path, fresh=False, **told)

    def _decide(self, command: str) -> Decision:
        if not self.parts.pairs:
            why = f"nothing can be chosen: {self.parts.why}; {WITHOUT_A_CHOICE} is taken, the smallest"
            return Decision(WITHOUT_A_CHOICE, Choice(pictures=0, folds=0, tried=(), why=why))
        dropped, left = self._try(command)
        chosen = choose([one for one in left if isinstance(one, Tried)])
        choice = Choice(
            pictures=len(self.parts.held_out),
            folds=self.parts.folds,
            tried=compared(left, dropped, chosen.best),
            why=why_taken(chosen, self.parts),
        )
        return Decision(chosen.taken.candidate.method, choice, self._calibration(chosen))

    def _try(self, command: str) -> tuple[list[Tried | Lost], list[Tried | Lost]]:
        """Every candidate after its last rung: those that were dropped on the first, and those that are left.

        What is trained at once is on both rungs. Folds have the first alone, and so has a single epoch.
        """
        candidates = [candidate_of(run) for run in self.trials.values()]
        short = self._rungs.climb([(one, one.short_epochs) for one in candidates], command)
        if self.parts.folds or all(one.short_epochs == one.epochs for one in candidates):
            return [], short
        at_once = [one for one in short if one.candidate.at_once]
        others = [one for one in short if not one.candidate.at_once]
        finished = [one for one in others if isinstance(one, Tried)]
        left = [one.candidate for one in going_on(finished, max(2, len(others) // 2))]
        whole = self._rungs.climb([(one, one.epochs) for one in left], command)
        return [one for one in others if one.candidate not in left], at_once + whole

    def _calibration(self, chosen: Chosen) -> Calibration | None:
        """The temperature of what was trained to its end; after a part of that, answers are less sure."""
        taken = chosen.taken
        if not self.config.calibrate or taken.epochs < taken.candidate.epochs:
            return None
        return calibrated(self.config, taken.answers.logits, taken.answers.labels, self._rungs.run_of(taken))
