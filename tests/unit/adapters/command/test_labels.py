"""`dvpt-adapters label`, `rollback`, `pin` and `unpin`, run as a user would."""

import json
from collections.abc import Callable
from pathlib import Path

from adapters.store.store import Store
from tests.support.artifacts import MakeArtifact, write_artifact

Run = Callable[..., tuple[int, str, str]]


def test_labels(published_twice: Store, run: Run) -> None:
    assert run("label", "digits", "canary", 1) == (0, "digits: canary = version 1\n", "")
    assert run("rollback", "digits") == (0, "digits: stable = version 1\n", "")
    code, out, err = run("rollback", "digits")
    assert (code, out) == (1, "")
    assert err == "dvpt-adapters: label 'stable' of task 'digits' has no version before 1 to go back to\n"
    assert run("label", "digits", "canary", "--remove")[0] == 0
    assert published_twice.task("digits").labels == {"stable": 1}
    assert run("label", "digits", "canary", 9)[2] == (
        "dvpt-adapters: task 'digits' has no version 9; it has: 1, 2\n"
    )
    assert "label name '../x' is not allowed" in run("label", "digits", "../x", 1)[2]


def test_labels_with_their_etags_and_a_move_that_relies_on_one(published_twice: Store, run: Run) -> None:
    code, out, _ = run("labels", "digits", "--json")
    (row,) = json.loads(out)
    assert (code, row) == (
        0,
        {
            "label": "stable", "version": 2, "previous": [1],
            "etag": published_twice.label("digits", "stable").etag,
        },
    )  # fmt: skip
    assert run("labels", "digits")[1].split() == [
        "LABEL", "VERSION", "BEFORE", "ETAG", "stable", "2", "1", row["etag"],
    ]  # fmt: skip
    moving = ("label", "digits", "stable", 1, "--if-match", f'"{row["etag"]}"')
    assert run(*moving)[1] == "digits: stable = version 1\n"
    assert "names version 1 now, as" in run(*moving)[2]
    assert "look at it again" in run("rollback", "digits", "--if-match", "x")[2]


def test_other_classes_need_a_flag(
    published_twice: Store, make_artifact: MakeArtifact, run: Run, tmp_path: Path
) -> None:
    wider = make_artifact(class_count=6)
    published_twice.publish("digits", wider, label="canary")
    write_artifact(wider, tmp_path / "wider", published_twice.backbone)
    importing = ("import", tmp_path / "wider", "--task", "digits")
    for arguments in (("label", "digits", "stable", 3), importing):
        code, out, err = run(*arguments)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert "names version 2, which has other classes: 'class 5' would be new; --replace-classes" in err
    assert run("label", "digits", "stable", 3, "--replace-classes")[0] == 0
    assert run("rollback", "digits")[0] == 1
    assert run("rollback", "digits", "--replace-classes")[1] == "digits: stable = version 2\n"
    assert run(*importing, "--replace-classes")[1] == "is there already as digits version 3\n"
    assert published_twice.task("digits").labels["stable"] == 3


def test_a_pin_is_a_label(published_twice: Store, run: Run) -> None:
    assert run("pin", "digits", "--version", 1) == (0, "pinned digits version 1\n", "")
    assert published_twice.task("digits").labels == {"pinned": 1, "stable": 2}
    assert "has the label pinned" in run("delete", "digits", "--version", 1)[2]
    assert run("delete", "digits", "--version", 1, "--force")[0] == 0
    assert published_twice.task("digits").labels == {"stable": 2}
    assert run("unpin", "digits")[2] == "dvpt-adapters: task 'digits' has no label 'pinned'\n"
