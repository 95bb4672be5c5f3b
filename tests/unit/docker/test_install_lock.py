"""The CPU variant leaves CUDA out of the lock and nothing else."""

import re
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.scripts import load_script

ROOT = Path(__file__).resolve().parents[3]
TORCH = ROOT / "docker/torch.lock"
IMAGES = [ROOT / "docker/service.lock", ROOT / "docker/training.lock"]
LOCKS = [TORCH, *IMAGES]
PIN = re.compile(r"^([a-z0-9-]+)(?:\[.*\])?==(\S+)", re.MULTILINE)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script(ROOT / "docker/install_lock.py")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_the_split_loses_cuda_alone(script: ModuleType, lock: Path) -> None:
    split = script.split_lock(lock.read_text())
    kept = set(PIN.findall(split.hashed)) | {tuple(pin.split("==")) for pin in split.by_version}
    lost = {name for name, _ in set(PIN.findall(lock.read_text())) - kept}
    assert "triton" in lost
    assert "nvidia-cudnn-cu13" in lost
    assert {name for name in lost if not name.startswith(("nvidia-", "cuda-"))} == {"triton"}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_everything_but_torch_keeps_its_hashes(script: ModuleType, lock: Path) -> None:
    split = script.split_lock(lock.read_text())
    assert {pin.partition("==")[0] for pin in split.by_version} == {"torch", "torchvision"}
    entries = list(script.entries(split.hashed))
    assert "".join(entries) == split.hashed
    assert all("--hash=sha256:" in entry for entry in entries)
    assert all(entry in lock.read_text() for entry in entries)


def test_a_lock_without_torch_is_refused(script: ModuleType) -> None:
    with pytest.raises(ValueError, match="does not pin torch and torchvision"):
        script.split_lock("numpy==2.4.6 \\\n    --hash=sha256:00\n")


@pytest.mark.parametrize("lock", IMAGES, ids=lambda lock: lock.stem)
def test_what_torch_brings_is_in_the_images_lock_as_it_is(script: ModuleType, lock: Path) -> None:
    assert set(script.entries(TORCH.read_text())) <= set(script.entries(lock.read_text()))


@pytest.mark.parametrize("lock", IMAGES, ids=lambda lock: lock.stem)
def test_nothing_is_installed_twice_and_nothing_forgotten(script: ModuleType, lock: Path) -> None:
    there = script.names(TORCH.read_text())
    rest = script.names(script.without(lock.read_text(), there))
    assert not rest & there
    assert rest | there == script.names(lock.read_text())


def test_what_nothing_opens_goes_and_the_rest_stays(script: ModuleType, tmp_path: Path) -> None:
    kept = (
        "nvidia/cu13/lib/libcublas.so.13",
        "nvidia/nvshmem/lib/libnvshmem_host.so.3",
        "torch/lib/libc10.so",
    )
    gone = (
        "nvidia/cu13/include/cuda.h", "nvidia/cu13/lib/libcudart_static.a", "torch/include/torch/torch.h",
        "nvidia/cu13/lib/libcusolverMg.so.12", "nvidia/nvshmem/lib/nvshmem_bootstrap_mpi.so.3",
    )  # fmt: skip
    for name in (*kept, *gone):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    script.prune(tmp_path)

    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == {*kept}
