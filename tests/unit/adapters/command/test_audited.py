"""What commands that change a store leave in the audit trail."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.store.store import Store

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def trail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOGNAME", "ann")
    monkeypatch.setenv("DVPT_AUDIT", str(tmp_path / "audit.jsonl"))
    return tmp_path / "audit.jsonl"


def told(trail: Path) -> list[dict[str, Any]]:
    read = [json.loads(line) for line in trail.read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "when"} for line in read]


@pytest.mark.usefixtures("published_twice")
def test_each_change_is_a_line_and_a_look_is_none(run: Run, trail: Path, tmp_path: Path) -> None:
    run("list")
    run("labels", "digits")
    run("export", "digits", tmp_path / "out", "--version", 1)
    assert not trail.exists()
    for arguments in (
        ("label", "digits", "canary", 1),
        ("label", "digits", "canary", 9),
        ("label", "digits", "canary", "--remove"),
        ("rollback", "digits"),
        ("pin", "digits"),
        ("unpin", "digits"),
        ("publish", "digits", tmp_path / "out"),
        ("delete", "digits", "--version", 1),
        ("prune", "--keep", 9),
        ("delete", "digits", "--all"),
    ):
        run(*arguments)
    ann = {"who": "cli:ann", "task": "digits", "result": "done"}
    assert told(trail) == [
        ann | {"action": "set_label", "version": 1, "label": "canary"},
        ann | {"action": "set_label", "version": 9, "label": "canary", "result": "version_not_found"},
        ann | {"action": "remove_label", "label": "canary"},
        ann | {"action": "roll_back", "label": "stable", "version": 1},
        ann | {"action": "pin_task", "version": 1},
        ann | {"action": "unpin_task"},
        ann | {"action": "publish_version", "label": "stable", "version": 1, "existed": True},
        ann | {"action": "delete_version", "version": 1, "result": "store_conflict"},
        ann | {"action": "prune", "task": None, "keep": 9},
        ann | {"action": "delete_task"},
    ]


def test_no_change_without_its_trail(published_twice: Store, run: Run, tmp_path: Path) -> None:
    code, _, err = run("label", "digits", "stable", 1, "--audit", tmp_path / "none" / "audit")
    assert (code, err.count("\n")) == (1, 1)
    assert "none/audit cannot be written: No such file or directory" in err
    assert published_twice.task("digits").labels == {"stable": 2}
