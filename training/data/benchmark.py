"""A catalogue task's data held to the catalogue: its classes, and the sizes of its splits."""

from dataclasses import replace

from training.data.catalogue import CatalogueTask
from training.data.departures import OtherSize, SplitName
from training.data.source import TaskData, absent_classes
from training.errors import DataUnusable

TRAIN, VAL = 800, 200


def as_benchmark(data: TaskData, task: CatalogueTask) -> TaskData:
    """The same pictures with the catalogue's number of classes; classes without pictures keep their place.

    Raises DataUnusable for more classes, or labels, than the catalogue has.
    """
    if len(data.classes) > task.class_count:
        label, where = _highest(data)
        raise DataUnusable(
            f"{data.source}: {len(data.classes)} classes, highest label {label}{where}, but {task.title} "
            f"({task.benchmark}) has {task.class_count}, labels 0 to {task.class_count - 1}"
        )
    more = tuple(f"unseen class {label}" for label in range(len(data.classes), task.class_count))
    return replace(
        data, classes=data.classes + more, source=f"{task.title}, {data.source}", fixed_classes=True
    )


def other_sizes(data: TaskData, task: CatalogueTask) -> tuple[OtherSize, ...]:
    """Each split whose size shows that it is not the benchmark's own, also where it is not there at all."""
    expected: dict[SplitName, int] = {} if task.group == "fgvc" else {"train": TRAIN, "val": VAL}
    expected |= {"test": task.test_count}
    sizes = {name: len(data.splits[name]) if name in data.splits else 0 for name in expected}
    return tuple(
        OtherSize(
            benchmark=task.benchmark,
            task=task.title,
            splits=(name,),
            pictures=sizes[name],
            official_pictures=count,
        )
        for name, count in expected.items()
        if sizes[name] != count
    )


def with_absences(data: TaskData) -> TaskData:
    """The same data, with a word on each split that has no pictures of some classes."""
    notes = []
    for name in data.splits:
        absent = absent_classes(data, name)
        if absent:
            notes.append(f"{name}: no pictures of {len(absent)} of {len(data.classes)} classes")
    return replace(data, made=(*data.made, *notes))


def _highest(data: TaskData) -> tuple[int, str]:
    name, split = max(data.splits.items(), key=lambda item: max(item[1].labels, default=-1))
    label = max(split.labels, default=-1)
    return label, f" in {name} ({split.names[split.labels.index(label)]})" if label >= 0 else ""
