"""`dvpt-train --check`: every picture looked at, nothing trained."""

import hashlib
import io
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from PIL import Image

from adapters.config import PreprocessConfig
from adapters.errors import PictureError
from adapters.pictures.decode import opened, silence_pillow
from training.data.departures import SplitName
from training.data.inspection.contents import content, equal_pictures, refuse_equal, with_contents
from training.data.inspection.damaged import leave_out
from training.data.passes import each_picture
from training.data.pixels import Decoder, fault
from training.data.remarks import Remark
from training.data.source import Picture, TaskData
from training.data.task_data import find_task, prepared
from training.errors import DataUnusable
from training.options.train_config import TrainConfig

THUMBNAIL_PX = 96
THUMBNAIL = Decoder(PreprocessConfig(), THUMBNAIL_PX)


@dataclass(frozen=True)
class _File:
    """A picture's file, read once for all that is looked at."""

    data: bytes

    def read_bytes(self) -> bytes:
        return self.data


@dataclass(frozen=True)
class Look:
    """What one picture is: `fault` says why it is not read; `content` and `pixels` are digests."""

    fault: str | None = None
    kind: str = ""
    mode: str = ""
    size: tuple[int, int] = (0, 0)
    content: str = ""
    pixels: str = ""
    thumbnail: bytes = b""


@dataclass(frozen=True)
class Checked:
    """The source's own splits with a look at each picture, what a run would use, and why it would refuse."""

    data: TaskData
    looks: Mapping[SplitName, Sequence[Look]]
    used: TaskData | None
    remarks: tuple[Remark, ...]
    refusals: tuple[str, ...]

    @cached_property
    def faults(self) -> list[str]:
        """Name and reason of every picture of every split that is not read."""
        return [look.fault for looks in self.looks.values() for look in looks if look.fault]

    def report(self) -> str:
        """A readable table: counts, formats, modes, sizes, remarks, damaged files."""
        whole = [look for looks in self.looks.values() for look in looks if not look.fault]
        lines = [
            f"{self.data.source}: {sum(map(len, self.looks.values())):,} pictures",
            "",
            *self._counts(),
            "",
        ]
        if whole:
            lines += [
                f"formats: {_most_common(look.kind for look in whole)}",
                f"modes: {_most_common(look.mode for look in whole)}",
                f"sizes: {_sizes([look.size for look in whole])}",
            ]
        lines += [f"{_heading(remark)}: {remark}" for remark in self.remarks]
        if self.faults:
            lines += [f"damaged: {len(self.faults):,} files", *(f"  {one}" for one in self.faults)]
        if self.used is not None:
            sizes = ", ".join(f"{name} {len(split):,}" for name, split in self.used.splits.items())
            lines += [f"a run would use: {sizes}", *(f"  {how}" for how in self.used.notes)]
        return "\n".join(lines)

    def _counts(self) -> Iterator[str]:
        splits = self.data.splits
        counts = {name: Counter(split.labels) for name, split in splits.items()}
        width = max(map(len, (*self.data.classes, "class")))
        yield f"{'class':{width}}" + "".join(f"{name:>9}" for name in splits)
        for label, name in enumerate(self.data.classes):
            yield f"{name:{width}}" + "".join(f"{counts[split][label]:>9,}" for split in splits)
        yield f"{'all':{width}}" + "".join(f"{len(split):>9,}" for split in splits.values())


def check_data(config: TrainConfig) -> Checked:
    """Read and decode every picture of every split.

    Raises DataNotFound, and DataUnusable for a layout or list that is not understood.
    """
    silence_pillow()
    data = find_task(config)
    looks = {
        name: list(each_picture(split, _look, f"looking through {name}", config.decode_threads))
        for name, split in data.splits.items()
    }
    faults = {
        name: {row: look.fault for row, look in enumerate(of_split) if look.fault}
        for name, of_split in looks.items()
    }
    readable = leave_out(data, faults)
    known = _contents(data, looks)
    refusals = []
    if any(faults.values()) and not config.skip_damaged:
        refusals.append(
            f"{sum(map(len, faults.values()))} pictures cannot be read (--skip-damaged leaves them out)"
        )
    used = None
    try:
        used = prepared(readable, config, known)
        if config.strict_data:
            refuse_equal(used.remarks)
    except DataUnusable as error:
        refusals.append(str(error))
    remarks = used.remarks if used else (*data.remarks, *equal_pictures(with_contents(readable, known)))
    kept = tuple(remark for remark in remarks if remark.what != "damaged files")
    return Checked(data, looks, used, (*kept, *_same_pixels(data, looks)), tuple(refusals))


def _look(name: str, picture: Picture) -> Look:
    try:
        held = picture if isinstance(picture, Image.Image) else _File(picture.read_bytes())
        seen = _encoded(held.data) if isinstance(held, _File) else _drawn(held)
        pixels = THUMBNAIL.pixels(held)
    except (PictureError, OSError) as error:
        return Look(fault=fault(name, error))
    values = pixels.contiguous().numpy()
    small = io.BytesIO()
    Image.fromarray(values.transpose(1, 2, 0)).save(small, "JPEG", quality=80)
    return replace(
        seen,
        content=content(held),
        pixels=hashlib.sha256(values.tobytes()).hexdigest(),
        thumbnail=small.getvalue(),
    )


def _encoded(data: bytes) -> Look:
    with opened(data) as source:
        return Look(kind=source.picture.format or "", mode=source.picture.mode, size=source.picture.size)


def _drawn(picture: Image.Image) -> Look:
    return Look(kind="in memory", mode=picture.mode, size=picture.size)


def _contents(data: TaskData, looks: Mapping[SplitName, Sequence[Look]]) -> dict[str, str]:
    """By name, of the pictures that are read."""
    return {
        picture: look.content
        for name, of_split in looks.items()
        for picture, look in zip(data.splits[name].names, of_split, strict=True)
        if not look.fault
    }


def _same_pixels(data: TaskData, looks: Mapping[SplitName, Sequence[Look]]) -> Iterator[Remark]:
    """Pictures that differ as files and not in what they show: saved again, in another format."""
    groups: dict[tuple[object, ...], dict[str, str]] = defaultdict(dict)
    for name, of_split in looks.items():
        for row, look in enumerate(of_split):
            if not look.fault:
                groups[look.size, look.pixels].setdefault(look.content, data.splits[name].names[row])
    same = tuple(" = ".join(names.values()) for names in groups.values() if len(names) > 1)
    if same:
        what = f"pictures look the same in two files or more, at {THUMBNAIL_PX} px"
        yield Remark("equal_within", what, same)


def _heading(remark: Remark) -> str:
    words = {"left_out": "left out", "unbalanced": "unbalanced", "read_as": "read as"}
    return words.get(remark.kind, "equal")


def _most_common(values: Iterator[str]) -> str:
    return ", ".join(f"{value} {count:,}" for value, count in Counter(values).most_common())


def _sizes(sizes: Sequence[tuple[int, int]]) -> str:
    by_pixels = sorted(sizes, key=lambda size: size[0] * size[1])
    smallest, middle, largest = (by_pixels[at] for at in (0, len(sizes) // 2, -1))
    return f"{_by(smallest)} to {_by(largest)}, half of them up to {_by(middle)}"


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
