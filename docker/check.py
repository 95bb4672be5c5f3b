"""Run an image's install steps and its entry point in a clean virtual environment, where there is no engine.

    python docker/check.py service|training [--folder DIR] [--torch-index INDEX]

It takes its steps from the Dockerfile, downloads what the image would, and leaves nothing behind unless a
folder is named.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ABSENT = {
    "service": ("training", "sklearn", "scipy", "matplotlib", "tensorboard"),
    "training": ("service", "fastapi", "starlette", "uvicorn", "prometheus_client"),
}
START_LIMIT_S = 300


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile, its lines joined."""

    name: str
    value: str


def read_dockerfile(image: str) -> list[Instruction]:
    """The instructions of an image's Dockerfile, comments left out."""
    text = (ROOT / f"docker/{image}.Dockerfile").read_text("utf-8")
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    parted = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    return [Instruction(name, value) for name, value in parted]


def values(image: str, name: str) -> list[str]:
    """What follows each instruction of one name."""
    return [instruction.value for instruction in read_dockerfile(image) if instruction.name == name]


def environment(image: str) -> dict[str, str]:
    """The variables that the image sets."""
    pairs = [word.partition("=") for value in values(image, "ENV") for word in shlex.split(value)]
    return {name: text for name, _, text in pairs}


def health_command(image: str) -> list[str]:
    """The words of the image's health check."""
    (check,) = values(image, "HEALTHCHECK")
    words: list[str] = json.loads(check.partition(" CMD ")[2])
    return words


def install(image: str, folder: Path, torch_index: str) -> dict[str, str]:
    """Follow COPY and pip's RUN lines in `folder`; returns the environment that programs there need."""
    venv.create(folder / "venv", with_pip=True)
    build = folder / "build"
    build.mkdir()
    environ = {**os.environ, "PATH": f"{folder}/venv/bin:{os.environ['PATH']}", "TORCH_INDEX": torch_index}
    for instruction in read_dockerfile(image):
        if instruction.name == "COPY" and "--from" not in instruction.value:
            _copy(instruction.value, build)
        if instruction.name == "RUN" and re.search(r"install_lock|\bpip\b", instruction.value):
            command = instruction.value.replace("/project", str(folder / "venv"))
            _say(f"$ {command}")
            subprocess.run(["/bin/sh", "-c", command], cwd=build, env=environ, check=True)  # noqa: S603
    return environ


def check_absent(image: str, environ: Mapping[str, str]) -> None:
    """Exit unless what the image has no use for cannot be found in it."""
    code = f"import importlib.util as u; print([m for m in {ABSENT[image]!r} if u.find_spec(m)])"
    found = _output(["python", "-I", "-c", code], environ)
    if found != "[]":
        sys.exit(f"the {image} image has no use for {found}")
    _say(f"absent, as they should be: {', '.join(ABSENT[image])}")


def check_service(folder: Path, environ: Mapping[str, str], port: int) -> None:
    """Start the entry point on an empty store, wait for the health check, ask, and end it politely."""
    variables = environment("service") | {"DVPT_STORE": str(folder / "store"), "DVPT_PORT": str(port)}
    started = {
        **environ,
        **variables,
        "DVPT_HOST": "127.0.0.1",
        "DVPT_BACKBONE": "vit_dvpt_patch8_64.formula",
    }
    (entry,) = json.loads(values("service", "ENTRYPOINT")[0])
    process = subprocess.Popen([_program(entry, environ)], cwd=folder, env=started)  # noqa: S603
    try:
        _wait_for_health(process, started)
        fetch = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())"
        for path in ("/healthz", "/readyz", "/v1/tasks"):
            answer = _output(["python", "-c", fetch, f"http://127.0.0.1:{port}{path}"], environ)
            _say(f"GET {path}: {answer}")
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
    if code:
        sys.exit(f"the service ended with {code} after SIGTERM")
    _say("ended with 0 after SIGTERM")


def _wait_for_health(process: "subprocess.Popen[bytes]", environ: Mapping[str, str]) -> None:
    program, *arguments = health_command("service")
    deadline = time.monotonic() + START_LIMIT_S
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(subprocess.CalledProcessError):
            _output([program, *arguments], environ)
            _say("healthy")
            return
        time.sleep(1)
    sys.exit(f"not healthy within {START_LIMIT_S} s")


def _copy(value: str, build: Path) -> None:
    *sources, target = value.split()
    for source in sources:
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, build / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, build / target)


def _program(name: str, environ: Mapping[str, str]) -> str:
    return shutil.which(name, path=environ["PATH"]) or sys.exit(f"there is no program {name}")


def _output(command: list[str], environ: Mapping[str, str]) -> str:
    words = [_program(command[0], environ), *command[1:]]
    result = subprocess.run(words, env=environ, check=True, capture_output=True, text=True, cwd="/")  # noqa: S603
    return result.stdout.strip()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    """Check one image; the exit code is not 0 where something fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("image", choices=sorted(ABSENT))
    parser.add_argument("--folder", type=Path, help="work here, and leave the environment there")
    parser.add_argument("--torch-index", default="", help="as the build argument TORCH_INDEX")
    parser.add_argument("--port", type=int, default=8765, help="loopback port of the service (default: 8765)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dvpt-image-") as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        environ = install(options.image, folder, options.torch_index)
        check_absent(options.image, environ)
        (entry,) = json.loads(values(options.image, "ENTRYPOINT")[0])
        _say(_output([entry, "--help"], environ).partition("\n")[0])
        if options.image == "service":
            check_service(folder, environ, options.port)


if __name__ == "__main__":
    main()
