"""Which method and which reading of DVPT is best on the data at hand: a resumable queue of training runs.

    python -m benchmarks.evidence run NAME…          # do what is not done yet, in order
    python -m benchmarks.evidence report             # writes docs/evidence.md and its plots

A finished run is a row of benchmarks/results/evidence.csv and is not repeated. Several processes can do
suites together, on a GPU about as many as there are cores. Needs DVPT_DATA_ROOT.
"""

import argparse
import fcntl
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from adapters.store.artifact import TENSORS_FILE
from benchmarks.evidence.finished_runs import Row, append_row, read_rows
from benchmarks.evidence.folds import fold_pictures
from benchmarks.evidence.instances import TASKS as INSTANCES
from benchmarks.evidence.instances import instance_pictures
from benchmarks.evidence.pi_readings import reading
from benchmarks.evidence.plan import SUITES, trials
from benchmarks.evidence.recipe import SUITE as RECIPE
from benchmarks.evidence.report import write_report
from benchmarks.evidence.training_subset import training_subset
from benchmarks.evidence.trial import Trial
from training.auto.auto import Auto
from training.errors import Diverged
from training.methods import table
from training.run.execution import Outcome, execute
from training.run.run import Run
from training.run.workbench import KEPT_BYTES, Workbench
from training.search.search_config import SearchConfig

RESULTS = Path("benchmarks/results/evidence.csv")
FOLDER = Path("runs/evidence")
COMMAND = "benchmarks.evidence"
WAIT_S = 10.0


def run_suites(names: Sequence[str], device: str = "cpu") -> None:
    """Do the trials of suites that have no row yet; selected values are known once selection is done.

    Several processes can do suites together: each trial is claimed by one of them.
    """
    workbench = Workbench(KEPT_BYTES)
    while left := _left(names):
        title = f"{len(left)} left"
        if not any(_do(trial, title, device, workbench) for trial in left):
            time.sleep(WAIT_S)  # all are in other hands, and what they select may bring more


def _left(names: Sequence[str]) -> list[Trial]:
    """In the order of the names; what a later suite takes from an earlier one's selection comes with it."""
    rows = read_rows(RESULTS)
    done = {row.key for row in rows}
    planned = {trial.key: trial for name in names for trial in trials(name, rows)}
    return [trial for key, trial in planned.items() if key not in done]


def _do(trial: Trial, title: str, device: str, workbench: Workbench) -> bool:
    """Whether this process did the trial, or found it done meanwhile."""
    with _claimed(trial) as mine:
        if mine and trial.key not in {row.key for row in read_rows(RESULTS)}:
            print(f"{title}, now {trial.name}", flush=True)
            append_row(RESULTS, train(trial, device, workbench))
    return mine


@contextmanager
def _claimed(trial: Trial) -> Iterator[bool]:
    """Whether no other process has the trial; it ends with the process, however that ends."""
    path = FOLDER / "claims" / trial.name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def train(trial: Trial, device: str, workbench: Workbench) -> Row:
    """One run → its row; a run that diverged has accuracy 0. What it publishes is weighed and deleted."""
    runs, store = FOLDER / "runs" / trial.name, FOLDER / "stores" / trial.name
    places = {"runs": runs, "store": store, "fresh": True, "device": device}
    config = SearchConfig.model_validate(
        trial.options
        | {"data": _pictures(trial), **places}
        | ({"publish": False} if trial.split == "val" else {})
    )
    began = time.process_time()
    try:
        with reading(trial.reading):
            run, outcome = _run(config, workbench)
        seconds = time.process_time() - began
        return Row.of(trial, outcome, len(run.train), seconds, _adapter_bytes(store), _name_of(device))
    except Diverged:
        return Row.diverged(trial, len(run.train))
    finally:
        shutil.rmtree(runs, ignore_errors=True)
        shutil.rmtree(store, ignore_errors=True)


def _pictures(trial: Trial) -> Path | None:
    """The folder that is trained on, where that is not the task's own."""
    if trial.suite == RECIPE:
        return fold_pictures(trial.task, trial.seed, FOLDER / "folds")
    if trial.task in INSTANCES:
        return instance_pictures(trial.task, FOLDER / "instances")
    return training_subset(trial.task, trial.part, trial.seed, FOLDER / "subsets")


def _run(config: SearchConfig, workbench: Workbench) -> tuple[Run, Outcome]:
    if config.method == table.AUTO:
        return Auto(config, workbench).execute(COMMAND)
    run = Run(config.plain(), workbench)
    return run, execute(run, COMMAND)


def _name_of(device: str) -> str:
    return "" if device == "cpu" else torch.cuda.get_device_name(device)


def _adapter_bytes(store: Path) -> int:
    """Of the one adapter in the store; 0 without any."""
    return sum(path.stat().st_size for path in store.glob(f"*/*/{TENSORS_FILE}"))


def main() -> None:
    """Run suites, or write the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", choices=("run", "report"))
    parser.add_argument("suites", nargs="*", metavar="NAME", help=", ".join(SUITES))
    parser.add_argument("--device", default="cpu", help="cpu or cuda:N")
    arguments = parser.parse_args()
    if arguments.stage == "report":
        write_report(read_rows(RESULTS))
    for name in arguments.suites:
        if name not in SUITES:
            parser.error(f"no suite {name}; there are {', '.join(SUITES)}")
    run_suites(arguments.suites, arguments.device)


if __name__ == "__main__":
    main()
