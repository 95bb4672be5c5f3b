"""What clients of a label rely on: the classes it answers with, in their order."""

from collections.abc import Iterable, Sequence

from adapters.errors import ClassesDiffer, ClassNotFound

SHOWN = 5
NAMED = 100


def require_same_classes(label: str, version: int, before: Sequence[str], after: Sequence[str]) -> None:
    """Raise ClassesDiffer, with what differs, unless the lists are equal; `before` is that of `version`."""
    if tuple(before) == tuple(after):
        return
    gone = [name for name in before if name not in set(after)]
    new = [name for name in after if name not in set(before)]
    changes = [f"{_listed(names)} would be {what}" for names, what in ((gone, "gone"), (new, "new")) if names]
    raise ClassesDiffer(
        f"label {label!r} names version {version}, which has other classes: "
        f"{' and '.join(changes) or _moved(before, after)}; --replace-classes moves it all the same"
    )


def require_known_classes(names: Iterable[str], classes: Sequence[str]) -> None:
    """Raise ClassNotFound, with the classes there are, unless every name is one of them."""
    known = set(classes)
    unknown = sorted(name for name in names if name not in known)
    if unknown:
        there = ", ".join(map(repr, classes[:NAMED])) + (", …" if len(classes) > NAMED else "")
        raise ClassNotFound(f"there is no class {_listed(unknown)}; there are: {there}")


def _moved(before: Sequence[str], after: Sequence[str]) -> str:
    index = next(index for index, names in enumerate(zip(before, after, strict=True)) if names[0] != names[1])
    return f"the same in another order, class {index} would be {after[index]!r} instead of {before[index]!r}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(map(repr, names[:SHOWN])) + more
