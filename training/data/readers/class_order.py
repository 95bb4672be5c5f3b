"""Which label a class of a list has."""

import re
from collections.abc import Collection
from decimal import Decimal

NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")


def in_order(classes: Collection[str]) -> tuple[str, ...]:
    """Numbers by their values, else words as in the alphabet."""
    if all(map(NUMBER.fullmatch, classes)):
        # `1` and `01` are two classes of one value, and a set has no order of its own.
        return tuple(sorted(classes, key=lambda name: (Decimal(name), name)))
    return tuple(sorted(classes))
