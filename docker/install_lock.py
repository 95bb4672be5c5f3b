"""Install a hashed lock into this Python, without what no image has a use for.

python install_lock.py LOCK [--torch-index INDEX] [--after LOCK]

With a torch index, torch comes from there and CUDA stays out. What the lock `--after` has is there already.
"""

import argparse
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

FROM_TORCH_INDEX = ("torch", "torchvision")
CUDA_ONLY = re.compile(r"(nvidia|cuda)-.*|triton")
PIP = (sys.executable, "-m", "pip", "install", "--no-cache-dir")
# Compiles for a GPU, with a C compiler beside it that the images lack as well.
LEFT_OUT = "triton"
# What torch neither links nor opens: headers, static libraries, profilers, solvers of several GPUs, and of
# NVSHMEM all but the host's library, which torch links.
UNUSED = (
    "nvidia/*/include", "nvidia/cu13/cccl", "nvidia/*/lib/*.a", "nvidia/*/lib/*.bc", "nvidia/*/bin",
    "nvidia/cu13/lib/libcusolverMg.so*", "nvidia/cu13/lib/libcufftw.so*", "nvidia/cu13/lib/libnvblas.so*",
    "nvidia/cu13/lib/libnvperf_*.so*", "nvidia/cu13/lib/libcheckpoint.so*",
    "nvidia/cu13/lib/libpcsamplingutil.so*", "nvidia/nvshmem/lib/nvshmem_*", "nvidia/nvshmem/share",
    "nvidia/nvshmem/lib/cmake", "torch/include", "torch/bin/protoc*", "torch/share",
)  # fmt: skip


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


def names(text: str) -> set[str]:
    """The packages of a lock."""
    return {re.split(r"[\[=]", entry, maxsplit=1)[0] for entry in entries(text)}


def without(text: str, packages: Collection[str]) -> str:
    """A lock without some packages."""
    return "".join(entry for entry in entries(text) if not names(entry) <= set(packages))


def install(lock: Path, torch_index: str, after: Path | None) -> None:
    """Install the lock. Raises subprocess.CalledProcessError where pip fails."""
    there = names(after.read_text("utf-8")) if after else set()
    text = without(lock.read_text("utf-8"), {LEFT_OUT, *there})
    split = split_lock(text) if torch_index and not after else SplitLock(text, ())
    rest = lock.with_suffix(".rest.lock")
    rest.write_text(split.hashed, "utf-8")
    # Without --no-deps pip would ask for the hashes of what is left out.
    _run(*PIP, "--require-hashes", "--no-deps", "-r", str(rest))
    if split.by_version:
        _run(*PIP, "--no-deps", "--index-url", torch_index, *split.by_version)
    # What torch links must be there, and an index of CUDA builds fails here, not when the service starts.
    prune(Path(sysconfig.get_path("purelib")))
    _run(sys.executable, "-c", "import torchvision")


def prune(site_packages: Path) -> None:
    """Remove what nothing opens."""
    for path in [path for pattern in UNUSED for path in site_packages.glob(pattern)]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def check() -> None:
    """Exit where a package lacks one that it depends on, but for the one that is left out."""
    told = subprocess.run((sys.executable, "-m", "pip", "check"), check=False, capture_output=True, text=True)
    lacks = re.compile(rf"torch \S+ requires {LEFT_OUT}, which is not installed\.")
    if told.returncode and not all(lacks.fullmatch(line) for line in told.stdout.splitlines()):
        sys.exit(told.stdout + told.stderr)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)  # noqa: S603 -- the words are this file's, the paths the builder's


def main() -> None:
    """Install one lock; the exit code is not 0 where anything is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lock", type=Path)
    parser.add_argument("--torch-index", default="")
    parser.add_argument("--after", type=Path)
    options = parser.parse_args()
    install(options.lock, options.torch_index, options.after)
    check()


if __name__ == "__main__":
    main()
