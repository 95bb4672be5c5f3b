"""`dvpt-adapters list`, `show`, `labels` and `verify`, run as a user would."""

import json
from collections.abc import Callable
from pathlib import Path

from adapters.store.artifact import CONFIG_FILE, TENSORS_FILE
from adapters.store.journal import JOURNAL_FOLDER
from adapters.store.store import Store
from tests.support.artifacts import MakeArtifact

Run = Callable[..., tuple[int, str, str]]


def test_list(published_twice: Store, run: Run) -> None:
    published_twice.set_label("digits", "canary", 1)
    code, out, err = run("list")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "TASK    VERSIONS  LABELS              METHOD  CLASSES",
        "digits  1, 2      canary=1, stable=2  dvpt    5",
    ]
    code, out, _ = run("list", "--json")
    assert json.loads(out) == [
        {
            "task": "digits",
            "versions": [1, 2],
            "labels": {"canary": 1, "stable": 2},
            "method": "dvpt",
            "classes": 5,
            "problems": [],
        }
    ]


def test_list_tells_what_is_damaged_and_goes_on(
    published_twice: Store, make_artifact: MakeArtifact, run: Run, store_folder: Path
) -> None:
    published_twice.publish("other", make_artifact())
    (store_folder / "digits" / "2" / CONFIG_FILE).write_text("{")
    code, out, err = run("list")
    assert code == 1
    assert [line.split()[0] for line in out.splitlines()] == ["TASK", "digits", "other"]
    assert err.startswith("dvpt-adapters: digits/2: adapter_config.json is not readable JSON")
    assert err.count("\n") == 1


def test_a_list_has_pages_and_opens_no_other_adapter(
    store: Store, make_artifact: MakeArtifact, run: Run, store_folder: Path
) -> None:
    for number in range(6):
        store.publish(f"task{number}", make_artifact())
        if number in (1, 4):
            (store_folder / f"task{number}" / "1" / CONFIG_FILE).write_text("{")
    store.delete_task("task2")

    def listed(*arguments: object) -> tuple[int, list[str], str]:
        code, out, err = run("list", "--json", "--store", store.url, *arguments)
        return code, [row["task"] for row in json.loads(out)], err

    code, names, err = listed("--limit", 1)
    assert (code, names) == (0, ["task0"])
    assert err == "dvpt-adapters: there are more tasks: --after task0 lists the next, --limit 0 all\n"
    assert listed("--limit", 2, "--after", "task2")[:2] == (1, ["task3", "task4"])
    assert listed("--after", "task4") == (0, ["task5"], "")
    assert listed("--prefix", "task5") == (0, ["task5"], "")
    assert listed("--search", "k3") == (0, ["task3"], "")
    assert listed("--limit", 0)[1] == ["task0", "task1", "task3", "task4", "task5"]


def test_an_empty_store_lists_nothing(store: Store, run: Run) -> None:
    assert run("list", "--store", store.url) == (0, "no tasks yet\n", "")
    assert run("list", "--json", "--store", store.url) == (0, "[]\n", "")


def test_show(published_twice: Store, run: Run) -> None:
    published_twice.set_label("digits", "canary", 1)
    code, out, err = run("show", "digits")
    assert (code, err) == (0, "")
    lines = dict(line.split(None, 1) for line in out.splitlines())
    assert lines["version"] == "2 of 1, 2"
    assert lines["classes"] == "5: class 0, class 1, class 2, class 3, class 4"
    assert lines["tensors"] == published_twice.config("digits", 2).tensors_sha256
    assert lines["provenance.note"] == "second"
    assert lines["provenance.metrics"] == '{"test": {"accuracy": 0.5}}'
    assert lines["card"] == "README.md, learning-curve.png"
    _, out, _ = run("show", "digits", "--label", "canary", "--json")
    shown = json.loads(out)
    assert shown["version"] == 1
    assert shown["config"] == published_twice.config("digits", 1).model_dump(mode="json")
    _, out, _ = run("show", "digits", "--version", 1, "--json")
    assert json.loads(out) == shown


def test_show_without_stable_shows_the_newest(published_twice: Store, run: Run) -> None:
    published_twice.remove_label("digits", "stable")
    assert "version             2 of 1, 2" in run("show", "digits")[1]


def test_terminal_commands_in_names_are_not_passed_on(
    store: Store, make_artifact: MakeArtifact, run: Run
) -> None:
    store.publish("digits", make_artifact(note="\x1b[2J\ncleared"))
    _, out, _ = run("show", "digits", "--store", store.url)
    assert "\ufffd[2J\ufffdcleared" in out
    assert "\x1b" not in out


def test_verify(published_twice: Store, make_artifact: MakeArtifact, run: Run, store_folder: Path) -> None:
    published_twice.publish("other", make_artifact())
    code, out, err = run("verify")
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()] == [
        ["ADAPTER", "STATE"], ["digits/1", "ok"], ["digits/2", "ok"], ["other/1", "ok"],
    ]  # fmt: skip
    tensors = store_folder / "digits" / "1" / TENSORS_FILE
    tensors.write_bytes(tensors.read_bytes()[:-1])
    (store_folder / "other" / "labels" / "stable").write_text(
        '{"format_version": 1, "version": 8, "history": []}'
    )
    code, out, _ = run("verify")
    lines = out.splitlines()
    assert code == 1
    assert lines[1].startswith("digits/1  DAMAGED: digits/1: adapter_model.safetensors is truncated")
    assert lines[2] == "digits/2  ok"
    assert lines[3] == "other     DAMAGED: label 'stable' of 'other' names version 8, which is gone"
    assert lines[4] == "other/1   ok"
    assert run("verify", "digits")[0] == 1
    assert run("verify", "cats") == (
        1,
        "",
        "dvpt-adapters: there is no task 'cats'; the store has: digits, other\n",
    )


def test_verify_tells_of_a_journal_that_cannot_be_written(
    published_twice: Store, run: Run, store_folder: Path
) -> None:
    journal = store_folder / JOURNAL_FOLDER
    assert run("verify")[0] == 0
    assert not list(journal.glob("probe*"))
    journal.rename(store_folder / "elsewhere")
    assert run("verify")[0] == 0  # there is none yet
    for make in (lambda: journal.write_text(""), lambda: journal.symlink_to(store_folder / "elsewhere")):
        make()
        code, out, _ = run("verify")
        assert code == 1
        assert out.splitlines()[-1].startswith("_journal  NOT WRITABLE: ")
        published_twice.set_label("digits", "stable", 1)  # fails nobody
        journal.unlink()
