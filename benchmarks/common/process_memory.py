"""What a process holds in memory, as the kernel counts it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessMemory:
    """Bytes: all that is mapped in (rss), shared pages by share (pss), the process' own data (anonymous)."""

    rss: int
    pss: int
    anonymous: int


def process_memory(pid: int | str = "self") -> ProcessMemory:
    """What it holds now. Raises OSError where the kernel does not tell."""
    found = _kilobytes(Path(f"/proc/{pid}/smaps_rollup"))
    return ProcessMemory(found["Rss"], found["Pss"], found["Anonymous"])


def peak_rss(pid: int | str = "self") -> int:
    """The most bytes it ever held."""
    return _kilobytes(Path(f"/proc/{pid}/status"))["VmHWM"]


def _kilobytes(path: Path) -> dict[str, int]:
    pairs = (line.split(":", 1) for line in path.read_text().splitlines() if line.endswith(" kB"))
    return {name: 1024 * int(value.split()[0]) for name, value in pairs}
