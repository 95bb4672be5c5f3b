"""Install a hashed lock into this Python; with a torch index, torch comes from there and CUDA stays out.

python install_lock.py LOCK [TORCH_INDEX]
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

FROM_TORCH_INDEX = ("torch", "torchvision")
CUDA_ONLY = re.compile(r"(nvidia|cuda)-.*|triton")
PIP = (sys.executable, "-m", "pip", "install", "--no-cache-dir")


@dataclass(frozen=True)
class SplitLock:
    """A lock in two: requirements that keep their hashes, and torch's own, by version alone."""

    hashed: str
    by_version: tuple[str, ...]


def split_lock(text: str) -> SplitLock:
    """Take torch's packages and CUDA's libraries out of a lock. Raises ValueError if torch is not in it."""
    hashed: list[str] = []
    by_version: dict[str, str] = {}
    for entry in entries(text):
        name, _, rest = entry.partition("==")
        if name in FROM_TORCH_INDEX:
            by_version[name] = f"{name}=={rest.split()[0]}"
        elif not CUDA_ONLY.fullmatch(name):
            hashed.append(entry)
    missing = [name for name in FROM_TORCH_INDEX if name not in by_version]
    if missing:
        raise ValueError(f"the lock does not pin {' and '.join(missing)}")
    return SplitLock("".join(hashed), tuple(by_version.values()))


def entries(text: str) -> Iterator[str]:
    """The requirements of a lock: a line `name==version …` with the indented hash lines that follow it."""
    return (found[0] for found in re.finditer(r"^[a-z0-9][^\n]*\n(?:[ \t]+[^\n]*\n)*", text, re.MULTILINE))


def install(lock: Path, torch_index: str) -> None:
    """Install the lock. Raises subprocess.CalledProcessError where pip fails."""
    if not torch_index:
        _run(*PIP, "--require-hashes", "-r", str(lock))
        return
    split = split_lock(lock.read_text("utf-8"))
    rest = lock.with_suffix(".cpu.lock")
    rest.write_text(split.hashed, "utf-8")
    # Without --no-deps pip would ask for the hashes of torch, which the rest depends on.
    _run(*PIP, "--require-hashes", "--no-deps", "-r", str(rest))
    _run(*PIP, "--no-deps", "--index-url", torch_index, *split.by_version)
    # An index of CUDA builds fails here, not when the service starts.
    _run(sys.executable, "-c", "import torchvision")


def _run(*command: str) -> None:
    subprocess.run(command, check=True)  # noqa: S603 -- the words are this file's, the paths the builder's


def main(argv: Sequence[str]) -> None:
    """Install `argv[0]`; `argv[1]`, if it is there and not empty, is torch's index."""
    lock, *index = argv
    install(Path(lock), index[0] if index else "")
    _run(sys.executable, "-m", "pip", "check")


if __name__ == "__main__":
    main(sys.argv[1:])
