"""Start the compose file for real, and go through what its users meet: train, classify, crash, upgrade.

    python docker/check_compose.py [--short] [--upgrade-from TAG] [--compose "docker compose"]

The images of both and of Prometheus must be there; an upgrade starts with those of the tag.
Volumes, containers and pictures are this script's own, and are removed at the end.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DOCKER = Path(__file__).resolve().parent
SERVICE, PROMETHEUS = "http://127.0.0.1:18000", "http://127.0.0.1:19090"
ENGINE = ("docker",)
LIMIT_S = 180
RULES_SEEN_S = 20
"""Longer than Prometheus takes between two evaluations of the rules."""
KILL_ALL = """
import os, signal
for process in filter(str.isdigit, os.listdir("/proc")):
    if process != "1":  # the first one hears only of the others' end, as after a crash
        os.kill(int(process), signal.SIGKILL)
"""


@dataclass(frozen=True)
class Project:
    """One compose project with volumes of its own, on ports that nobody else should have."""

    compose: tuple[str, ...]
    name: str = field(default_factory=lambda: f"dvpt-check-{uuid.uuid4().hex[:8]}")
    environment: Mapping[str, str] = field(
        default_factory=lambda: {
            "SERVICE_PUBLISH": SERVICE.removeprefix("http://"),
            "PROMETHEUS_PUBLISH": PROMETHEUS.removeprefix("http://"),
        }
    )

    def run(self, *words: str, files: tuple[str, ...] = ("compose.yaml",), **variables: str) -> str:
        """Run compose with some words; what it wrote. Raises CalledProcessError."""
        with tempfile.TemporaryDirectory(prefix="dvpt-compose-") as folder:
            options = [word for file in files for word in ("-f", str(_unnamed(Path(folder), file)))]
            command = [*self.compose, *options, "--project-directory", str(DOCKER), "-p", self.name, *words]
            say("$ " + " ".join([Path(command[0]).name, *words]))
            environment = {**os.environ, **self.environment, **variables}
            done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)  # noqa: S603
        if done.returncode:
            sys.exit(f"{words} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout


def _unnamed(folder: Path, file: str) -> Path:
    """A copy without the key `name`, which compose 1 refuses; the project is named on the command line."""
    lines = (DOCKER / file).read_text("utf-8").splitlines(keepends=True)
    copy = folder / file
    copy.write_text("".join(line for line in lines if not line.startswith("name:")), "utf-8")
    return copy


@contextmanager
def removed(project: Project) -> Iterator[None]:
    """Take everything of the project away at the end, its volumes too."""
    try:
        yield
    finally:
        project.run("down", "--volumes", "--remove-orphans")


def check_first_start(project: Project, pictures: Path) -> Any:
    """Up, healthy, a task trained beside it and answered without a restart; the answer."""
    project.run("up", "--detach", "--no-build", "service", "prometheus")
    wait_until("healthy", lambda: get(f"{SERVICE}/readyz")["status"] == "ready")
    expect("no task yet", get(f"{SERVICE}/v1/tasks")["tasks"] == [])
    with urllib.request.urlopen(f"{SERVICE}/", timeout=5) as page:  # noqa: S310
        expect("the page is there", b"DVPT Serve" in page.read())
    train(project)
    return wait_until("the trained task answers", lambda: classify(pictures))


def train(project: Project) -> None:
    """Train digits as the compose file has it."""
    project.run("run", "--rm", "train", "--task", "digits", "--store", "/store", "--method", "linear")


def check_monitoring() -> None:
    """Prometheus scrapes the service, all rules evaluate, and none fires."""
    wait_until("Prometheus scrapes the service", lambda: _targets() == ["up"])
    time.sleep(RULES_SEEN_S)
    rules = [rule for group in get(f"{PROMETHEUS}/api/v1/rules")["data"]["groups"] for rule in group["rules"]]
    failed = [rule["name"] for rule in rules if rule["health"] != "ok" or rule["state"] == "firing"]
    expect(f"{len(rules)} rules evaluate and none fires {failed or ''}", bool(rules) and not failed)


def _targets() -> list[str]:
    return [target["health"] for target in get(f"{PROMETHEUS}/api/v1/targets")["data"]["activeTargets"]]


def check_crash(project: Project, pictures: Path, before: Any) -> None:
    """A process that is killed comes back with its store, without anybody's help."""
    container = project.run("ps", "-q", "service").strip()
    kill = [*ENGINE, "exec", container, "python", "-c", KILL_ALL]
    subprocess.run(kill, check=False, capture_output=True)  # noqa: S603
    wait_until("gone", lambda: not _answers())
    after = wait_until("back by itself", lambda: classify(pictures))
    expect("the same answer", _same(before, after))


def check_keys(project: Project, pictures: Path, folder: Path) -> None:
    """Only who has a key is let in, Prometheus too, and a running service sees them change."""
    (folder / "prometheus").mkdir(parents=True)
    key = _keys(folder, "create", "check")
    (folder / "prometheus" / "key").write_text(_keys(folder, "create", "prometheus", "--scope", "metrics"))
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    files, up = ("compose.yaml", "compose.keys.yaml"), ("up", "--detach", "--no-build")
    project.run(*up, "service", "prometheus", files=files, KEYS_FOLDER=str(folder))
    wait_until("ready with keys", lambda: get(f"{SERVICE}/readyz")["status"] == "ready")
    expect("401 without a key", _status(pictures, {}) == 401)
    expect("200 with a key", _status(pictures, {"X-API-Key": key}) == 200)
    wait_until("Prometheus scrapes with its key", lambda: _targets() == ["up"])
    later = _keys(folder, "create", "later")
    wait_until("200 with a new key", lambda: _status(pictures, {"X-API-Key": later}) == 200)
    _keys(folder, "revoke", key.split("_")[1])
    wait_until("401 with a key that was revoked", lambda: _status(pictures, {"X-API-Key": key}) == 401)


def _keys(folder: Path, *words: str) -> str:
    command = [str(Path(sys.executable).with_name("dvpt-keys")), "--keys", str(folder / "keys.json"), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603


def check_upgrade(compose: tuple[str, ...], pictures: Path, tag: str) -> None:
    """What the images of `tag` published is answered by today's from the same volumes, and goes on."""
    project = Project(compose)
    with removed(project), images(tag):
        before = check_first_start(project, pictures)
        with images("latest"):
            project.run("up", "--detach", "--no-build", "service")
            container = project.run("ps", "-q", "service").strip()
            running = _run("inspect", "--format", "{{.Image}}", container).strip()
            expect("today's image runs", running == _image("dvpt-service:latest"))
            after = wait_until("it answers", lambda: classify(pictures))
            expect("the same answer from old volumes", _same(before, after))
            train(project)
            wait_until("a new version", lambda: classify(pictures)["version"] == before["version"] + 1)


@contextmanager
def images(tag: str) -> Iterator[None]:
    """Give the names of the compose file to the images of a tag, for a while."""
    kept = {name: _image(f"{name}:latest") for name in ("dvpt-service", "dvpt-training")}
    wanted = {name: _image(f"{name}:{tag}") for name in kept}
    try:
        for name, identity in wanted.items():
            _run("tag", identity, f"{name}:latest")
        yield
    finally:
        for name, identity in kept.items():
            _run("tag", identity, f"{name}:latest")


def _image(name: str) -> str:
    return _run("image", "inspect", "--format", "{{.Id}}", name).strip()


def _run(*words: str) -> str:
    return subprocess.run([*ENGINE, *words], check=True, capture_output=True, text=True).stdout  # noqa: S603


def classify(pictures: Path, headers: Mapping[str, str] | None = None) -> Any:
    """The service's answer to a handwritten three."""
    url = f"{SERVICE}/v1/tasks/digits/classify"
    data = (pictures / "digits" / "3.png").read_bytes()
    request = urllib.request.Request(url, data, {"content-type": "image/png", **(headers or {})})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return json.load(answer)


def _same(before: Any, after: Any) -> bool:
    top = [answer["predictions"][0]["classes"][0]["label"] for answer in (before, after)]
    return before["digest"] == after["digest"] and top == ["3", "3"]


def _status(pictures: Path, headers: Mapping[str, str]) -> int:
    try:
        classify(pictures, headers)
    except urllib.error.HTTPError as error:
        return error.code
    return 200


def _answers() -> bool:
    try:
        get(f"{SERVICE}/healthz")
    except OSError:
        return False
    return True


def get(url: str) -> Any:
    """The JSON of a page."""
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
        return json.load(answer)


def wait_until(what: str, tried: Callable[[], Any]) -> Any:
    """Wait for something true; it. Exits where it takes too long."""
    began_s, last = time.monotonic(), ""
    while time.monotonic() < began_s + LIMIT_S:
        try:
            found = tried()
        except (OSError, KeyError, ValueError) as error:
            found, last = None, repr(error)
        if found:
            say(f"{what} after {time.monotonic() - began_s:.0f} s")
            return found
        time.sleep(0.5)
    sys.exit(f"not within {LIMIT_S} s: {what}; {last}")


def expect(what: str, holds: bool) -> None:
    """Say that something holds, or exit."""
    if not holds:
        sys.exit(f"does not hold: {what}")
    say(what)


def say(text: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    """Go through it all; the exit code is not 0 where anything fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--compose", default="docker compose", help="how compose is called here")
    parser.add_argument("--upgrade-from", metavar="TAG", help="tag of older images to begin with")
    parser.add_argument("--short", action="store_true", help="no more than the first start and a task")
    options = parser.parse_args()
    compose = tuple(shlex.split(options.compose))
    with tempfile.TemporaryDirectory(prefix="dvpt-check-") as temporary:
        pictures = Path(temporary)
        subprocess.run([sys.executable, "-m", "demo.samples", temporary], check=True, cwd=DOCKER.parent)  # noqa: S603
        project = Project(compose)
        with removed(project):
            before = check_first_start(project, pictures)
            if not options.short:
                check_monitoring()
                check_crash(project, pictures, before)
                check_keys(project, pictures, pictures / "keys")
        if options.upgrade_from:
            check_upgrade(compose, pictures, options.upgrade_from)
    say("all of it holds")


if __name__ == "__main__":
    main()
