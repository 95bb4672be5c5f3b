"""Which method and which reading of DVPT is best on the data at hand: a resumable queue of training runs.

    python -m benchmarks.evidence run NAME…          # do what is not done yet, in order
    python -m benchmarks.evidence report             # writes docs/evidence.md and its plots

A finished run is a row of benchmarks/results/evidence.csv and is not repeated. Needs DVPT_DATA_ROOT.
"""

import argparse
import shutil
from pathlib import Path

from benchmarks.evidence.finished_runs import Row, append_row, read_rows
from benchmarks.evidence.plan import SUITES, Trial, trials
from benchmarks.evidence.report import write_report
from benchmarks.evidence.training_subset import training_subset
from training.errors import Diverged
from training.options.train_config import TrainConfig
from training.run.run import Run

RESULTS = Path("benchmarks/results/evidence.csv")
FOLDER = Path("runs/evidence")


def run_suite(name: str) -> None:
    """Do the trials of one suite that have no row yet; selected values are known once selection is done."""
    while True:
        done = {row.key for row in read_rows(RESULTS)}
        left = [trial for trial in trials(name, read_rows(RESULTS)) if trial.key not in done]
        if not left:
            return
        print(f"{name}: {len(left)} left, now {left[0].name}", flush=True)
        append_row(RESULTS, train(left[0]))


def train(trial: Trial) -> Row:
    """One run → its row; a run that diverged has accuracy 0."""
    config = TrainConfig.model_validate(
        trial.options
        | {
            "data": training_subset(trial.task, trial.part, trial.seed, FOLDER / "subsets"),
            "runs": FOLDER / "runs",
            "store": FOLDER / "no-store",
            "publish": False,
            "fresh": True,
            "device": "cpu",
        }
    )
    run = Run(config)
    try:
        return Row.of(trial, run.execute("benchmarks.evidence"), len(run.train))
    except Diverged:
        return Row.diverged(trial, len(run.train))
    finally:
        shutil.rmtree(run.directory.path)


def main() -> None:
    """Run suites, or write the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", choices=("run", "report"))
    parser.add_argument("suites", nargs="*", metavar="NAME", help=", ".join(SUITES))
    arguments = parser.parse_args()
    if arguments.stage == "report":
        write_report(read_rows(RESULTS))
    for name in arguments.suites:
        if name not in SUITES:
            parser.error(f"no suite {name}; there are {', '.join(SUITES)}")
        run_suite(name)


if __name__ == "__main__":
    main()
