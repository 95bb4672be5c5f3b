"""EuroSAT and ten DTD textures on a pre-trained ViT-Tiny: select, train, serve, compare, report.

    python -m benchmarks.real_pictures train     # resumable; one dvpt-train after the other
    python -m benchmarks.real_pictures serve     # all test pictures as their JPEG files over HTTP
    python -m benchmarks.real_pictures report    # writes docs/results.md

Needs DVPT_DATA_ROOT. A finished run is known by its predictions file and not repeated.
"""

import argparse
import subprocess
from pathlib import Path

from benchmarks.real_pictures.plan import finals, selections
from benchmarks.real_pictures.report import write_report
from benchmarks.real_pictures.serve import compare_served


def train(folder: Path) -> None:
    """Do what is not done yet."""
    for plans in (selections(), finals(folder)):
        for plan in plans:
            if not plan.predictions(folder).exists():
                print(f"> {plan.name}", flush=True)
                subprocess.run(plan.command(folder), check=True)


def main() -> None:
    """Run one stage."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", choices=("train", "serve", "report"))
    parser.add_argument("--folder", type=Path, default=Path("runs/real"), help="where everything is kept")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    if arguments.stage == "train":
        train(folder)
    elif arguments.stage == "serve":
        published = {plan.published: plan for plan in finals(folder) if plan.seed == 0}
        compare_served(
            folder, {name: (plan.task, plan.predictions(folder)) for name, plan in published.items()}
        )
    else:
        write_report(folder, list(selections()), list(finals(folder)))


if __name__ == "__main__":
    main()
