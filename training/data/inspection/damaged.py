"""Pictures that cannot be read, found before anything is split."""

from collections.abc import Mapping
from dataclasses import replace

from adapters.config import PreprocessConfig
from adapters.errors import PictureError
from training.data.departures import SplitName
from training.data.passes import each_picture
from training.data.pixels import Decoder, fault
from training.data.remarks import Remark
from training.data.source import Picture, Split, TaskData

# Small, as a JPEG is decoded faster then; damage shows all the same.
PROBE = Decoder(PreprocessConfig(), image_size=32)


def without_damaged(data: TaskData, threads: int = 0) -> TaskData:
    """The same data without the pictures that do not decode, which a remark names."""
    return leave_out(data, {name: damaged(split, name, threads) for name, split in data.splits.items()})


def leave_out(data: TaskData, faults: Mapping[SplitName, Mapping[int, str]]) -> TaskData:
    """The same data without the positions that have a fault."""
    splits: Mapping[SplitName, Split] = {
        name: split.rows([row for row in range(len(split)) if row not in faults[name]])
        for name, split in data.splits.items()
    }
    found = tuple(fault for of_split in faults.values() for fault in of_split.values())
    data = replace(data, splits=splits)
    return data.remarked(Remark("left_out", "damaged files", found)) if found else data


def damaged(split: Split, title: str, threads: int = 0) -> dict[int, str]:
    """Position → name and reason of every picture that does not decode."""
    faults = each_picture(split, _fault, f"looking through {title}", threads)
    return {row: fault for row, fault in enumerate(faults) if fault is not None}


def _fault(name: str, picture: Picture) -> str | None:
    try:
        PROBE.pixels(picture)
    except (PictureError, OSError) as error:
        return fault(name, error)
    return None
