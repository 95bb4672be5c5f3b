"""The CPU variant leaves CUDA out of the lock and nothing else."""

import re
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.scripts import load_script

ROOT = Path(__file__).resolve().parents[3]
LOCKS = [ROOT / "docker/service.lock", ROOT / "docker/training.lock"]
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
