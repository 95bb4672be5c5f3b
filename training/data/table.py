"""The catalogue as the table in docs/data.md: `python -m training.data.table`."""

import sys

from training.data.catalogue import TASKS, CatalogueTask
from training.data.downloads import DOWNLOADS
from training.data.task_data import DRAWN

HEADER = ("`--task`", "Task", "Group", "Classes", "Test", "Prompts", "Licence", "Source", "Without a folder")


def catalogue_table() -> str:
    """A Markdown table, a line for each task in the paper's order."""
    lines = [HEADER, ("---",) * len(HEADER), *(_cells(task) for task in TASKS.values())]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _cells(task: CatalogueTask) -> tuple[str, ...]:
    download = DOWNLOADS.get(task.name)
    otherwise = f"`{download.dataset}`, {download.about}" if download else "–"
    return (
        f"`{task.name}`",
        task.title,
        task.group,
        str(task.class_count),
        f"{task.test_count:,}",
        "–" if task.vpt_prompts is None else str(task.vpt_prompts),
        task.licence,
        f"[page]({task.source})",
        "drawn by formula" if task.name in DRAWN else otherwise,
    )


if __name__ == "__main__":
    sys.stdout.write(catalogue_table())
