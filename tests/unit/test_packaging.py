"""Packages resolve to this project, roles stay apart, and the locks cover pyproject.toml."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from training.options.recipes import RECIPES

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT, SETUPTOOLS = CONFIGURATION["project"], CONFIGURATION["tool"]["setuptools"]
LOCKS = {
    "requirements.lock": ("service", "training", "parquet", "datasets", "client", "onnx", "dev"),
    "docker/service.lock": ("service",),
    "docker/training.lock": ("training",),
    "docker/ray.lock": ("service", "ray"),
    "benchmarks/peers.lock": ("service", "peers"),
}
EXTRAS = {
    "adapters": ("adapters", "onnx", "signing"),
    "service": ("service", "onnx", "ray", "client", "parquet"),
    "service/client": ("client", "parquet"),
    "training": ("training", "parquet", "datasets"),
}
# Packages whose names their users meet in another declared package's interface, or that one brings along.
MET_IN = {"pydantic-core": "pydantic", "starlette": "fastapi", "triton": "torch"}
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[.*\])?==([^ ;\\]+)", re.MULTILINE)


def isolated(code: str) -> str:
    """Run `code` in an interpreter that sees only what is installed, from a folder of its own."""
    command = [sys.executable, "-I", "-c", code]
    return subprocess.run(command, cwd="/", check=True, capture_output=True, text=True).stdout.strip()


def requirements(extras: Iterable[str]) -> list[Requirement]:
    """What the extras need, and the extras of this project that they name."""
    texts = list(PROJECT["dependencies"])
    for extra in extras:
        texts += PROJECT["optional-dependencies"][extra]
    found: list[Requirement] = []
    for requirement in map(Requirement, texts):
        found += requirements(requirement.extras) if requirement.name == PROJECT["name"] else [requirement]
    return found


def closure(extras: Iterable[str]) -> dict[str, Distribution]:
    """The installed distributions that the extras need, with all that those need, by name."""
    found: dict[str, Distribution] = {}
    waiting = requirements(extras)
    while waiting:
        name = waiting.pop().name
        if canonicalize_name(name) in found:
            continue
        found[canonicalize_name(name)] = distribution(name)
        needed = map(Requirement, distribution(name).requires or ())
        waiting += [each for each in needed if each.marker is None or each.marker.evaluate({"extra": ""})]
    return found


def imported(source: Path) -> set[str]:
    """The top-level packages that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def pins(lock: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, version in PIN.findall((ROOT / lock).read_text()):
        found.setdefault(canonicalize_name(name), []).append(version)
    return found


@pytest.mark.parametrize("package", ["adapters", "service", "training"])
def test_packages_resolve_inside_this_project(package: str) -> None:
    where = Path(isolated(f"import {package}; print({package}.__file__)"))
    assert where.is_relative_to(ROOT)


@pytest.mark.slow
def test_the_service_does_not_import_training() -> None:
    code = "import sys, service.app; print([m for m in sys.modules if m.split('.')[0] == 'training'])"
    assert isolated(code) == "[]"


@pytest.mark.slow
def test_adapters_import_neither_http_nor_plots() -> None:
    heavy = "{'fastapi', 'starlette', 'uvicorn', 'matplotlib', 'sklearn', 'tensorboard'}"
    code = f"import sys, adapters.store.store, adapters.bank.bank; print(sorted({heavy} & set(sys.modules)))"
    assert isolated(code) == "[]"


def test_a_client_needs_neither_torch_nor_what_answers_http() -> None:
    needed = set(closure(["client"]))
    assert needed >= {"httpx", "tenacity"}
    assert not needed & {"torch", "numpy", "pillow", "timm", "pydantic", "fastapi", "starlette", "uvicorn"}
    assert len(needed) <= 12


@pytest.fixture
def client_alone(tmp_path: Path) -> Path:
    """A folder of packages with the project and what the extra `client` needs, and nothing else."""
    for installed in closure(["client"]).values():
        tops = {file.parts[0] for file in installed.files or ()} - {"..", "__pycache__"}
        for top in tops:
            (tmp_path / top).symlink_to(Path(str(installed.locate_file(top))))
    for house in ("adapters", "service"):
        (tmp_path / house).symlink_to(ROOT / house)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("import service.client; print({'torch', 'fastapi', 'pydantic'} & {*sys.modules})", "set()"),
        ("from service.client.command.cli import main; main(['--help'])", "usage: dvpt-classify"),
        (
            "from importlib.util import find_spec; print(find_spec('torch'))",
            "None",
        ),
    ],
)
def test_a_client_works_where_nothing_else_is_installed(client_alone: Path, code: str, shown: str) -> None:
    alone = "import sys; sys.argv[0] = 'dvpt-classify'; "
    alone += f"sys.path[:] = [p for p in sys.path if 'site-packages' not in p] + [{str(client_alone)!r}]; "
    assert isolated(alone + code).startswith(shown)


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", ["dvpt-train", "dvpt-reproduce", "dvpt-serve", "dvpt-adapters", "dvpt-keys", "dvpt-classify"]
)
def test_commands_answer_help(command: str) -> None:
    program = Path(sys.executable).with_name(command)
    result = subprocess.run([program, "--help"], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("usage: " + command)


@pytest.mark.parametrize("house", ["adapters", "service", "training"])
def test_every_folder_of_code_is_a_package_and_so_part_of_the_build(house: str) -> None:
    code = {source.parent for source in (ROOT / house).rglob("*.py")}
    assert code == {init.parent for init in (ROOT / house).rglob("__init__.py")}


@pytest.mark.parametrize("house", EXTRAS)
def test_what_a_house_imports_is_declared(house: str) -> None:
    declared = {canonicalize_name(requirement.name) for requirement in requirements(EXTRAS[house])}
    known = packages_distributions()
    for source in (ROOT / house).rglob("*.py"):
        for package in imported(source) - set(sys.stdlib_module_names) - set(EXTRAS):
            owners = {str(canonicalize_name(owner)) for owner in known.get(package, [package])}
            owners |= {MET_IN[owner] for owner in owners & MET_IN.keys()}
            assert owners & declared, f"{source.relative_to(ROOT)} imports {package}"


def test_an_installed_user_has_every_recipe() -> None:
    packed = SETUPTOOLS["package-data"]["training"]
    shipped = [path for pattern in packed for path in (ROOT / "training").glob(pattern)]
    assert {*RECIPES.values()} <= {*shipped}


def test_an_installed_service_has_every_file_of_its_page() -> None:
    shipped = {
        path for pattern in SETUPTOOLS["package-data"]["service"] for path in (ROOT / "service").glob(pattern)
    }
    assert {path for path in (ROOT / "service/http/page").rglob("*") if path.is_file()} <= shipped


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_every_requirement(lock: str) -> None:
    pinned = pins(lock)
    for requirement in requirements(LOCKS[lock]):
        versions = pinned.get(canonicalize_name(requirement.name), [])
        assert versions, f"{lock} does not pin {requirement}; run make lock"
        assert all(requirement.specifier.contains(version) for version in versions), requirement


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_hashes_every_pin_and_names_no_index(lock: str) -> None:
    text = (ROOT / lock).read_text()
    entries = re.split(r"\n(?=[A-Za-z0-9])", text)
    assert all("--hash=sha256:" in entry for entry in entries if PIN.match(entry))
    assert "://" not in text
    assert "index-url" not in text


@pytest.mark.parametrize("lock", ["docker/torch.lock", "docker/service.lock", "docker/training.lock"])
def test_image_locks_are_parts_of_the_whole_one(lock: str) -> None:
    whole = pins("requirements.lock")
    for name, versions in pins(lock).items():
        assert set(versions) <= set(whole[name]), name
