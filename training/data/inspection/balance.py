"""Classes that are far larger than others."""

from collections import Counter
from collections.abc import Iterator

from training.data.remarks import Remark
from training.data.source import Split, TaskData

# From here on always saying the largest class is right in more than nine of ten pictures of two classes.
UNBALANCED = 10


def unbalanced(data: TaskData, train: Split) -> Iterator[Remark]:
    """A remark where the largest class that is trained on is more than `UNBALANCED` times the smallest."""
    counts = Counter(train.labels).most_common()
    (largest, most), (_, fewest) = counts[0], counts[-1]
    if most <= UNBALANCED * fewest:
        return
    few = tuple(f"{data.classes[label]} ({n})" for label, n in reversed(counts) if most > UNBALANCED * n)
    yield Remark(
        "unbalanced",
        f"of {len(data.classes)} classes with less than a tenth of the {most} training pictures of "
        f"{data.classes[largest]}: accuracy says little of them",
        few,
    )
