"""How much memory there is, and an error beforehand where the pictures need more."""

import resource
from collections.abc import Iterator, Sequence
from pathlib import Path

from training.errors import OutOfMemory

GB = 1e9
PROC, CGROUP = Path("/proc"), Path("/sys/fs/cgroup")
SIZES = (896, 768, 512, 448, 384, 320, 256, 224, 160, 128, 96, 64, 32)


def check_room(pictures: int, image_size: int, more_bytes: int = 0) -> None:
    """Raises OutOfMemory where pixels of so many pictures, and `more_bytes`, are more than there is."""
    needed = pixel_bytes(pictures, image_size) + more_bytes
    free, where = available()
    if needed <= free:
        return
    share = max((free - more_bytes) / pixel_bytes(pictures, image_size), 0)
    smaller = next((size for size in SIZES if size <= image_size * share**0.5), None)
    size = f"--image-size {smaller}, " if smaller else ""
    raise OutOfMemory(
        f"{pictures:,} pictures of {image_size} px are kept as {needed / GB:.1f} GB of pixels, and "
        f"{free / GB:.1f} GB are free ({where}): {size}--train-percent or --shots take less, or give the "
        "process more memory"
    )


def pixel_bytes(pictures: int, image_size: int) -> int:
    """Bytes of pixels [N, 3, H, W] uint8."""
    return pictures * 3 * image_size**2


def available() -> tuple[float, str]:
    """Bytes that can be had, and what sets the bound: machine, control groups, or the process's limits."""
    return min((*_machine(), *_groups(), *_limits(), (float("inf"), "no limit is known")))


def _machine() -> Iterator[tuple[float, str]]:
    memory = {words[0]: int(words[1]) for words in map(str.split, _lines(PROC / "meminfo"))}
    if "MemAvailable:" in memory:
        free = memory["MemAvailable:"] + memory.get("SwapFree:", 0)
        yield free * 1024.0, "the machine's memory"


def _groups() -> Iterator[tuple[float, str]]:
    """Limits of the control groups that the process is in, of both versions, and of those above them."""
    for line in _lines(PROC / "self" / "cgroup"):
        _, controllers, path = line.split(":", 2)
        names = controllers.split(",")
        if controllers and "memory" not in names:
            continue
        root = CGROUP / "memory" if controllers else CGROUP
        limit, used, cache = (
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            if controllers
            else ("memory.max", "memory.current", "inactive_file")
        )
        group = root / path.strip("/")
        for folder in (group, *group.parents):
            if folder == CGROUP.parent or not folder.is_relative_to(CGROUP):
                break
            yield from _group(folder, limit, used, cache)


def _group(folder: Path, limit: str, used: str, cache: str) -> Iterator[tuple[float, str]]:
    bounds, taken = _lines(folder / limit), _lines(folder / used)
    if bounds and taken and bounds[0].isdecimal():
        freed = [
            int(line.split()[1]) for line in _lines(folder / "memory.stat") if line.startswith(f"{cache} ")
        ]
        yield float(int(bounds[0]) - int(taken[0]) + sum(freed)), "the control group's limit"


def _limits() -> Iterator[tuple[float, str]]:
    lines = [line.split() for line in _lines(PROC / "self" / "status")]
    status = {words[0].rstrip(":"): words[1] for words in lines if len(words) > 1}
    for kind, used, name in (
        (resource.RLIMIT_AS, "VmSize", "ulimit -v"),
        (resource.RLIMIT_DATA, "VmData", "ulimit -d"),
    ):
        limit = resource.getrlimit(kind)[0]
        if limit != resource.RLIM_INFINITY:
            yield float(limit - int(status.get(used, 0)) * 1024), f"the limit of {name}"


def _lines(path: Path) -> Sequence[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
