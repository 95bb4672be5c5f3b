"""`dvpt-classify` against a real service: whole folders, cut off anywhere, with all that folders hold."""

import csv
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.store.store import Store
from tests.support.artifacts import MakeArtifact
from tests.support.pictures import plain_png
from tests.support.server import Serve, Server
from tests.support.waiting import wait_until

PICTURES = 600
MORE = 900
"""Beside those in a run that must not end before it is cut off, wherever the test may be held up."""


@pytest.fixture(scope="module")
def server(module_store: Store, make_artifact: MakeArtifact, serve: Serve) -> Iterator[Server]:
    module_store.publish("pets", make_artifact(1))
    module_store.publish("pets", make_artifact(2))
    with serve(module_store) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Many pictures in three folders."""
    for number in range(PICTURES):
        path = tmp_path / "pictures" / str(number % 3) / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(plain_png(number % 256))
    return tmp_path / "pictures"


def command(server: Server, *arguments: object) -> list[str]:
    words = ["--task=pets", f"--url={server.url}", *map(str, arguments)]
    return [sys.executable, "-m", "service.client.command.cli", *words]


def run(server: Server, *arguments: object, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command(server, *arguments), check=False, capture_output=True, timeout=120, input=stdin
    )


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def paths(folder: Path) -> list[str]:
    return sorted(map(str, folder.rglob("*.png")))


def answered(server: Server) -> float:
    """How many pictures the service has answered."""
    return sum(value for name, value in server.metrics().items() if name.startswith("dvpt_pictures_total"))


def test_a_folder_becomes_a_table(server: Server, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.csv"
    done = run(server, folder, f"--out={out}", "--top-k=2", "--version=1")
    assert done.returncode == 0, done.stderr
    assert [row["path"] for row in rows(out)] == paths(folder)
    assert {row["version"] for row in rows(out)} == {"1"}
    assert all(float(row["probability"]) >= float(row["probability_2"]) > 0 for row in rows(out))
    assert {path.name for path in tmp_path.iterdir()} == {"pictures", "answers.csv"}
    assert f"{PICTURES} answered" in done.stderr.decode()


def test_all_formats_say_the_same(server: Server, folder: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    some = sorted(folder.rglob("*.png"))[:20]
    for suffix in ("csv", "jsonl", "parquet"):
        assert run(server, *some, f"--out={tmp_path}/a.{suffix}", "--top-k=3", "--batch=7").returncode == 0
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [(row["path"], row["label"]) for row in rows(tmp_path / "a.csv")] == [
        (line["path"], line["label"]) for line in lines
    ]
    table = parquet.read_table(tmp_path / "a.parquet").to_pylist()
    assert [row["classes"][2]["label"] for row in table] == [line["classes"][2]["label"] for line in lines]
    assert [row["version"] for row in table] == [2] * 20


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_cut_off_goes_on(
    server: Server, folder: Path, tmp_path: Path, sent: signal.Signals
) -> None:
    for number in range(MORE):
        (folder / "0" / f"more{number}.png").write_bytes(plain_png(number % 256))
    out, first = tmp_path / "answers.jsonl", answered(server)
    slowly = command(server, folder, f"--out={out}", "--batch=1", "--concurrency=1")
    for _ in range(3):
        before = answered(server)
        with subprocess.Popen([*slowly, "--resume"], stderr=subprocess.PIPE) as process:
            wait_until(lambda: answered(server) >= before + 30, "more answers")  # noqa: B023
            process.send_signal(sent)
            process.wait(60)
        assert process.returncode == (130 if sent == signal.SIGINT else -sent)
        assert not out.exists()
    last = run(server, folder, f"--out={out}", "--resume")
    assert last.returncode == 0, last.stderr
    assert [json.loads(line)["path"] for line in out.read_text().splitlines()] == paths(folder)
    asked = answered(server) - first
    assert 0 <= asked - PICTURES - MORE <= 3  # twice only those of a request under way when it was cut


def test_what_fails_is_listed_and_counts(server: Server, folder: Path, tmp_path: Path) -> None:
    broken = {"empty.png": b"", "text.jpg": b"no picture", "cut.png": plain_png(3)[:60], "a.heic": b"\0" * 64}
    for name, data in broken.items():
        (folder / "1" / name).write_bytes(data)
    (folder / "1" / "notes.txt").write_text("no picture")
    (folder / "gone.png").symlink_to("nowhere.png")
    (folder / "self.png").symlink_to("self.png")
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.png")
    out = tmp_path / "answers.csv"
    done = run(server, folder, f"--out={out}")
    assert done.returncode == 1, done.stderr
    assert len(rows(out)) == PICTURES
    failures = {Path(row["path"]).name: row["code"] for row in rows(tmp_path / "answers.csv.failures.csv")}
    assert failures.keys() == broken.keys() | {"gone.png", "self.png", "loop", "pipe.png"}
    assert {failures[name] for name in ("gone.png", "self.png", "loop", "pipe.png")} == {"unreadable"}
    assert failures["cut.png"] == "picture_damaged"
    assert "1 other files passed over" in done.stderr.decode()

    for name in broken:
        (folder / "1" / name).write_bytes(plain_png(7))
    again = run(server, folder, f"--out={out}", "--resume", "--max-failures=2%")
    assert again.returncode == 0, again.stderr
    assert len(rows(out)) == PICTURES + len(broken)
    assert len(rows(tmp_path / "answers.csv.failures.csv")) == 4
    assert not (tmp_path / "answers.csv.unfinished").exists()


def test_names_that_are_no_text_come_from_standard_input_too(server: Server, tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path)
    names = [folder + b"/" + name for name in (b"\xff\xfe.png", "é 猫.png".encode(), b"a\nb.png")]
    for name in names:
        Path(os.fsdecode(name)).write_bytes(plain_png(1))
    out = tmp_path / "answers.jsonl"
    done = run(server, "-", "--null", f"--out={out}", stdin=b"\0".join(names))
    assert done.returncode == 0, done.stderr
    found = [Path(json.loads(line)["path"]).name for line in out.read_text("utf-8").splitlines()]
    assert sorted(found) == sorted(["\\xff\\xfe.png", "é 猫.png", "a\nb.png"])
    listed = run(server, "-", f"--out={tmp_path}/b.csv", stdin=names[0] + b"\n" + names[1])
    assert listed.returncode == 0, listed.stderr
    assert len(rows(tmp_path / "b.csv")) == 2


def test_a_full_disk_ends_the_run_and_it_goes_on(server: Server, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.csv"
    small = subprocess.run(
        command(server, folder, f"--out={out}", "--top-k=5"),
        check=False,
        capture_output=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)),
        timeout=120,
    )
    assert small.returncode == 3, small.stderr
    assert b"answers.csv.unfinished: " in small.stderr
    assert not out.exists()
    assert run(server, folder, f"--out={out}", "--top-k=5", "--resume").returncode == 0
    assert [row["path"] for row in rows(out)] == paths(folder)


def test_a_service_that_comes_back_is_waited_for(
    empty_store: Store, make_artifact: MakeArtifact, serve: Serve, folder: Path, tmp_path: Path
) -> None:
    empty_store.publish("pets", make_artifact(1))
    out = tmp_path / "answers.csv"
    with serve(empty_store) as first:
        process = subprocess.Popen(
            command(first, folder, f"--out={out}", "--batch=2", "--concurrency=2"), stderr=subprocess.PIPE
        )
        wait_until(lambda: answered(first) >= 60, "some answers")
        first.stop(signal.SIGKILL)
    with serve(empty_store, f"--port={first.port}"), process:
        _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert [row["path"] for row in rows(out)] == paths(folder)


def test_a_service_with_less_room_than_is_asked_for_answers_all(
    empty_store: Store, make_artifact: MakeArtifact, serve: Serve, folder: Path, tmp_path: Path
) -> None:
    empty_store.publish("pets", make_artifact(1))
    out = tmp_path / "answers.csv"
    limits = ("--max-pictures-per-request=4", "--max-queued-pictures=6", "--max-request-bytes=32000000")
    with serve(empty_store, *limits) as small:
        done = run(small, folder, f"--out={out}", "--concurrency=4")
        assert done.returncode == 0, done.stderr
        refused = small.metrics()
    assert [row["path"] for row in rows(out)] == paths(folder)
    assert any("overloaded" in name and count for name, count in refused.items()), refused
