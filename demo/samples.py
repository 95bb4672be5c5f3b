"""Sample pictures of the embedded tasks, to ask a service about: one of each class, from the test pictures.

    python -m demo.samples [FOLDER]

Writes `FOLDER/<task>/<class>.png` (FOLDER is `pictures` unless named) and prints what it wrote.
"""

import argparse
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from training.data.embedded import EMBEDDED_TASKS, load_embedded

FOLDER = Path("pictures")
NOT_IN_FILE_NAMES = re.compile(r"[^a-z0-9]+")


def write_samples(folder: Path, tasks: Iterable[str] = EMBEDDED_TASKS) -> dict[str, list[Path]]:
    """Write the samples of embedded tasks; each task's files, in the order of its classes."""
    return {task: _write_task(folder / task, task) for task in tasks}


def _write_task(folder: Path, task: str) -> list[Path]:
    pictures, labels = load_embedded(task, "test")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for index, name in enumerate(EMBEDDED_TASKS[task].classes):
        path = folder / f"{NOT_IN_FILE_NAMES.sub('-', name.lower())}.png"
        pictures[labels.index(index)].save(path)
        written.append(path)
    return written


def main() -> int:
    """Run the command."""
    summary = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m demo.samples", description=summary)
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER, help=f"default: {FOLDER}")
    for task, files in write_samples(parser.parse_args().folder).items():
        print(f"{task}: {len(files)} pictures, {files[0]} … {files[-1]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
