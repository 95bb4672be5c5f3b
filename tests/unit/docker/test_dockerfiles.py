"""The Dockerfiles hold together as far as can be seen without an engine."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import cast

import pytest

from service.settings import Settings
from tests.support.processes import free_port
from tests.support.scripts import load_script

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
IMAGES = ("service", "training")
KNOWN = {"FROM", "ARG", "WORKDIR", "COPY", "RUN", "ENV", "USER", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
PINNED = re.compile(r"[a-z0-9./-]+:[A-Za-z0-9_.-]*\d[A-Za-z0-9_.-]*")


CHECK = load_script(ROOT / "docker/check.py")  # it reads the Dockerfiles as these tests do


def values(image: str, name: str) -> list[str]:
    return cast("list[str]", CHECK.values(image, name))


def environment(image: str) -> dict[str, str]:
    return cast("dict[str, str]", CHECK.environment(image))


def ignored(path: str) -> bool:
    """What .dockerignore says of a path: the last rule that matches it or a folder above it decides."""
    verdict = False
    for rule in (ROOT / ".dockerignore").read_text().split("\n"):
        pattern = rule.removeprefix("!").strip("/")
        if not pattern or rule.startswith("#"):
            continue
        if re.match(_rule_as_regex(pattern) + r"(/|$)", path):
            verdict = not rule.startswith("!")
    return verdict


def _rule_as_regex(pattern: str) -> str:
    kinds = {"**/": "(.*/)?", "*": "[^/]*"}
    return "".join(
        kinds.get(part) or (part if part.startswith("[") else re.escape(part))
        for part in re.split(r"(\*\*/|\*|\[[^]]*\])", pattern)
    )


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A server on the loopback that gives one status to GET /readyz; yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize("image", IMAGES)
def test_every_instruction_is_one_that_engines_know(image: str) -> None:
    assert {instruction.name for instruction in CHECK.read_dockerfile(image)} <= KNOWN


@pytest.mark.parametrize("image", IMAGES)
def test_base_images_are_pinned_by_version(image: str) -> None:
    stages: set[str] = set()
    for value in values(image, "FROM"):
        base, *named = value.split(" AS ")
        assert base in stages or PINNED.fullmatch(base), base
        stages |= set(named)


@pytest.mark.parametrize("image", IMAGES)
def test_every_copied_path_is_there_and_enters_the_build(image: str) -> None:
    stages = {value.partition(" AS ")[2] for value in values(image, "FROM")}
    for value in values(image, "COPY"):
        *options_and_sources, _ = value.split()
        options = [word for word in options_and_sources if word.startswith("--")]
        if options:
            assert [option.partition("--from=")[2] in stages for option in options] == [True], value
            continue
        for source in options_and_sources:
            assert (ROOT / source).exists(), source
            assert not ignored(source), source


@pytest.mark.parametrize(
    "path",
    [".git/config", ".venv/pyvenv.cfg", ".env", "stores/embedded/backbone.json", "tests/conftest.py",
     "docker/compose.yaml", "adapters/bank/__pycache__/bank.cpython-311.pyc", "service/routes/__pycache__"],
)  # fmt: skip
def test_nothing_else_enters_the_build(path: str) -> None:
    assert ignored(path)


@pytest.mark.parametrize(
    "path", ["adapters/bank/bank.py", "adapters/assets/a.safetensors", "service/py.typed"]
)
def test_whole_packages_enter_the_build(path: str) -> None:
    assert not ignored(path)


@pytest.mark.parametrize("image", IMAGES)
def test_every_package_of_the_distribution_is_copied(image: str) -> None:
    copied = {word for value in values(image, "COPY") for word in value.split()}
    patterns = PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    packages = {pattern.removesuffix("*") for pattern in patterns}
    assert packages | {"pyproject.toml", PROJECT["project"]["readme"], "LICENSE"} <= copied


@pytest.mark.parametrize("image", IMAGES)
def test_dependencies_come_from_the_lock_alone(image: str) -> None:
    installs = [value for value in values(image, "RUN") if "install_lock" in value or "pip install" in value]
    assert installs[:2] == [
        'python install_lock.py torch.lock --torch-index "$TORCH_INDEX"',
        f"python install_lock.py {image}.lock --after torch.lock",
    ]
    assert all("--no-deps --no-build-isolation" in value for value in installs[2:])


def test_the_images_share_the_layer_of_torch() -> None:
    service, training = (
        [(each.name, each.value) for each in CHECK.read_dockerfile(image)] for image in IMAGES
    )
    shared = service.index(("FROM", "torch AS dependencies"))
    assert shared == 5
    assert service[:shared] == training[:shared]


@pytest.mark.parametrize("image", IMAGES)
def test_the_process_is_no_root_and_its_number_is_fixed(image: str) -> None:
    (user,) = values(image, "USER")
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    assert any(f"--uid {user.partition(':')[0]} " in value for value in values(image, "RUN"))
    names = [instruction.name for instruction in CHECK.read_dockerfile(image)]
    assert "RUN" not in names[names.index("USER") :]


def test_one_user_owns_what_both_images_write() -> None:
    assert values("service", "USER") == values("training", "USER")


@pytest.mark.parametrize("image", IMAGES)
def test_the_entry_point_is_a_command_of_the_project(image: str) -> None:
    (entry,) = values(image, "ENTRYPOINT")
    (command,) = json.loads(entry)
    assert command in PROJECT["project"]["scripts"]
    removed = [word for value in values(image, "RUN") for word in value.split() if "/bin/dvpt-" in word]
    assert removed
    assert not any(word.endswith(f"/{command}") for word in removed)


@pytest.mark.parametrize("image", IMAGES)
def test_variables_are_settings(image: str) -> None:
    known = {f"DVPT_{name}".upper() for name in Settings.model_fields} | {"DVPT_DATA_ROOT"}
    assert {name for name in environment(image) if name.startswith("DVPT_")} <= known


def test_the_health_check_follows_readiness() -> None:
    program, *arguments = CHECK.health_command("service")
    assert program == "python"
    command = [sys.executable, *arguments]

    def code(port: int, **variables: str) -> int:
        environ = {"DVPT_PORT": str(port), **variables}
        return subprocess.run(command, check=False, env=environ, capture_output=True).returncode

    with answering(200) as port:
        assert code(port) == 0
        nowhere = f"http://127.0.0.1:{free_port()}"
        assert code(port, HTTP_PROXY=nowhere, http_proxy=nowhere) == 0
    assert code(port) == 1
    with answering(503) as port:
        assert code(port) == 1


def test_the_service_listens_where_the_health_check_looks() -> None:
    variables = environment("service")
    assert values("service", "EXPOSE") == [variables["DVPT_PORT"]]
    assert variables["DVPT_HOST"] == "0.0.0.0"
