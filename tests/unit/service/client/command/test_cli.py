"""`dvpt-classify`, as it is called; whole runs are in tests/integration/test_classify_command.py."""

from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.client.command.cli import MaxFailures, main
from tests.support.scripted_http import Reply, Scripted, of_pictures, problem, scripted

TASK: dict[str, Any] = {
    "task": "pets", "labels": {}, "versions": [], "serving": {}, "refused": [], "problems": [],
    "method": None, "layout": None, "classes": [], "replicas": {"all": 1, "ready": 1, "serving": {}},
}  # fmt: skip


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    (tmp_path / "a.png").write_bytes(b"picture")
    return tmp_path / "a.png"


def run(server: Scripted, *arguments: object) -> int:
    return main(["--task=pets", f"--url={server.url}", *map(str, arguments)])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{a}/a.png", "--out={a}/x.txt"], "must end with"),
        (["{a}/a.png", "--out={a}/none/x.csv"], "no such folder"),
        (["{a}/none.png", "--out={a}/x.csv"], "no such file or folder"),
        (["{a}/a.png", "--out={a}/there.csv"], "there already"),
        (["{a}/a.png", "--out={a}/half.csv"], "--resume goes on"),
        (["{a}/a.png", "--out={a}/x.csv", "--max-failures=-1"], "neither a number"),
        (["{a}/a.png", "--out={a}/x.csv", "--top-k=0"], "no whole number above 0"),
        (["{a}/a.png", "--out={a}/x.csv", "--label=a", "--version=1"], "not allowed with"),
        (["--out={a}/x.csv"], "required: PATH"),
    ],
)
def test_a_wrong_command_line_is_refused(
    picture: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    folder = picture.parent
    (folder / "there.csv").touch()
    (folder / "half.csv.unfinished").touch()
    with pytest.raises(SystemExit) as ended:
        main(["--task=pets", *(text.format(a=folder) for text in arguments)])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
    assert not (folder / "x.csv.unfinished").exists()


def test_a_key_that_cannot_be_read_and_a_url_that_is_none_are_refused(picture: Path) -> None:
    out = f"--out={picture.parent}/x.csv"
    assert main(["--task=pets", str(picture), out, "--key-file=/none"]) == 2
    assert main(["--task=pets", str(picture), out, "--url=localhost"]) == 2


def test_the_key_is_read_from_its_file(picture: Path) -> None:
    (picture.parent / "key").write_text("dvpt_k\n")
    out = picture.parent / "x.csv"
    with scripted(Reply(200, TASK), of_pictures(["cat"])) as server:
        assert run(server, picture, f"--out={out}", f"--key-file={picture.parent}/key") == 0
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer dvpt_k"}
    assert "cat" in out.read_text()


def test_a_finished_run_is_not_begun_again(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = picture.parent / "x.csv"
    out.write_text("answers")
    with scripted(Reply(200, TASK)) as server:
        assert run(server, picture, f"--out={out}", "--resume") == 0
    assert "nothing to resume" in capsys.readouterr().err
    assert server.requests == []


@pytest.mark.parametrize("code", ["task_not_found", "not_allowed"])
def test_what_is_wrong_with_the_service_leaves_nothing_behind(
    picture: Path, capsys: pytest.CaptureFixture[str], code: str
) -> None:
    with scripted(problem(404, code)) as server:
        assert run(server, picture, f"--out={picture.parent}/x.csv") == 3
    assert f"{code} it is" in capsys.readouterr().err
    assert list(picture.parent.iterdir()) == [picture]


def test_a_service_that_ends_midway_keeps_what_was_answered(picture: Path) -> None:
    (picture.parent / "b.png").write_bytes(b"another")
    out = picture.parent / "x.csv"
    flags = ("--batch=1", "--concurrency=1")
    replies = [Reply(200, TASK), of_pictures(["cat"]), problem(401, "unauthenticated")]
    with scripted(*replies) as server:
        assert run(server, picture.parent, f"--out={out}", *flags) == 3
    assert not out.exists()
    with scripted(Reply(200, TASK), of_pictures(["dog"])) as server:
        assert run(server, picture.parent, f"--out={out}", *flags, "--resume") == 0
        assert len(server.requests) == 2
    assert out.read_text().count("cat") == out.read_text().count("dog") == 1


def test_another_question_does_not_go_on_with_a_run(
    picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = f"--out={picture.parent}/x.csv"
    (picture.parent / "b.png").write_bytes(b"another")
    with scripted(Reply(200, TASK), of_pictures(["cat"]), problem(401, "unauthenticated")) as server:
        run(server, picture.parent, out, "--batch=1", "--concurrency=1")
        assert run(server, picture.parent, out, "--resume", "--top-k=2") == 3
    assert "of a run that asked" in capsys.readouterr().err


def test_an_empty_folder_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "notes.txt").touch()
    with scripted(Reply(200, TASK)) as server:
        assert run(server, tmp_path / "p", f"--out={tmp_path}/x.csv") == 1
    assert "no pictures found; 1 other files passed over" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


@pytest.mark.parametrize(
    ("text", "answered", "failed", "exceeded"),
    [("0", 9, 0, False), ("0", 9, 1, True), ("2", 0, 2, False), ("2", 9, 3, True), ("10%", 9, 1, False),
     ("10%", 8, 1, True), ("0.5%", 199, 1, False), ("0%", 9, 1, True), ("100%", 0, 5, False)],
)  # fmt: skip
def test_failures_are_allowed_by_number_or_share(
    text: str, answered: int, failed: int, exceeded: bool
) -> None:
    assert MaxFailures.parse(text).exceeded(answered, failed) is exceeded


@given(st.text(max_size=6))
def test_a_limit_is_a_number_or_refused(text: str) -> None:
    try:
        limit = MaxFailures.parse(text)
    except ArgumentTypeError:
        return
    assert 0 <= limit.most < float("inf")
    assert limit.percent is text.endswith("%")
