from pathlib import Path

from training.data.catalogue import TASKS
from training.data.table import catalogue_table

DOCS = Path(__file__).parents[4] / "docs" / "data.md"


def test_the_table_in_the_docs_is_the_catalogue() -> None:
    assert catalogue_table() in DOCS.read_text()


def test_a_line_for_each_task() -> None:
    lines = catalogue_table().splitlines()
    assert len(lines) == 2 + len(TASKS)
    assert lines[2] == (
        "| `cifar` | CIFAR-100 | natural | 100 | 10,000 | 10 | see source | "
        "[page](https://www.cs.toronto.edu/~kriz/cifar.html) | `CIFAR100`, 170 MB |"
    )
    assert lines[-1].endswith("Stanford-Cars-dataset) | – |")
    assert sum("drawn by formula" in line for line in lines) == 2
