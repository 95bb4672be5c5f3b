"""`dvpt-adapters`, run as a user would: its output, its one-line errors and its exit codes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.command.cli import main
from adapters.store.artifact import CONFIG_FILE, TENSORS_FILE
from adapters.store.artifact_folder import read_folder
from adapters.store.journal import JOURNAL_FOLDER
from adapters.store.store import Store
from tests.support.archives import tar_of
from tests.support.artifacts import MakeArtifact, write_artifact

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


def test_a_store_can_be_a_url(published_twice: Store, run: Run) -> None:
    assert run("list", "--store", f"file://{published_twice.url}") == run("list")
    code, _, err = run("list", "--store", "s3://bucket/store")
    assert (code, err.count("\n")) == (1, 1)
    assert "'s3://bucket/store': no files are kept at s3://" in err


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


def test_delete(published_twice: Store, run: Run) -> None:
    code, _, err = run("delete", "digits", "--version", 2)
    assert code == 1
    assert "has the label stable; move or remove the label first" in err
    assert run("delete", "digits", "--version", 1) == (0, "deleted version 1 of digits\n", "")
    assert published_twice.task("digits").versions == (2,)
    assert run("delete", "digits", "--all") == (0, "deleted task digits\n", "")
    assert published_twice.tasks() == []


def test_prune(published_twice: Store, make_artifact: MakeArtifact, run: Run) -> None:
    for task in ("digits", "other"):
        for _ in range(2):
            published_twice.publish(task, make_artifact())
    assert run("prune", "--keep", 1) == (0, "digits: removed 1, 2\nother: removed nothing\n", "")
    assert run("prune", "digits", "--keep", 1) == (0, "digits: removed nothing\n", "")
    assert published_twice.task("digits").versions == (3, 4)


def test_index(published_twice: Store, run: Run) -> None:
    assert run("index") == (0, "indexed 1 tasks\n", "")
    found = published_twice.indexed()
    assert found is not None
    assert set(found[0]) == {"digits"}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["show"],
        ["show", "digits", "--version", "1", "--label", "stable"],
        ["show", "digits", "--version", "0"],
        ["show", "digits", "--version", "٣"],
        ["label", "digits", "stable"],
        ["label", "digits", "stable", "1", "--remove"],
        ["delete", "digits"],
        ["delete", "digits", "--all", "--version", "1"],
        ["prune"],
        ["prune", "--keep", "-1"],
        ["import", "folder"],
        ["classify", "digits"],
        ["classify", "digits", "x.png", "--top-k", "many"],
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("published_twice")
def test_usage_errors(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: dvpt-adapters" in capsys.readouterr().err


def test_which_store(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DVPT_STORE", raising=False)
    with pytest.raises(SystemExit) as caught:
        main(["list"])
    assert caught.value.code == 2
    assert "say which store: --store DIR, or DVPT_STORE" in capsys.readouterr().err
    code, _, err = run("list", "--store", tmp_path / "none")
    assert (code, err) == (
        1,
        f"dvpt-adapters: there is no store at {tmp_path / 'none'}: it has no backbone.json\n",
    )


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


def test_publish_takes_a_directory_or_a_tar_and_nothing_twice(
    published_twice: Store, make_artifact: MakeArtifact, run: Run, tmp_path: Path
) -> None:
    folder, archive = tmp_path / "new", tmp_path / "new.tar"
    write_artifact(make_artifact(note="third"), folder, published_twice.backbone)
    archive.write_bytes(tar_of(read_folder(folder), prefix="./"))
    assert run("publish", "digits", archive, "--label", "canary") == (0, "published digits version 3\n", "")
    assert run("publish", "digits", folder) == (0, "is there already as digits version 3\n", "")
    assert published_twice.task("digits").labels == {"canary": 3, "stable": 3}
    archive.write_bytes(archive.read_bytes()[:3000])
    code, out, err = run("publish", "digits", archive)
    assert (code, out, err.count("\n")) == (1, "", 1)


def test_an_export_is_the_version_to_the_byte(published_twice: Store, run: Run, tmp_path: Path) -> None:
    assert run("export", "digits", tmp_path / "out")[0] == 0
    assert read_folder(tmp_path / "out") == published_twice.files("digits", 2)


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


def test_a_pin_is_a_label(published_twice: Store, run: Run) -> None:
    assert run("pin", "digits", "--version", 1) == (0, "pinned digits version 1\n", "")
    assert published_twice.task("digits").labels == {"pinned": 1, "stable": 2}
    assert "has the label pinned" in run("delete", "digits", "--version", 1)[2]
    assert run("delete", "digits", "--version", 1, "--force")[0] == 0
    assert published_twice.task("digits").labels == {"stable": 2}
    assert run("unpin", "digits")[2] == "dvpt-adapters: task 'digits' has no label 'pinned'\n"


def test_thresholds_of_a_label(published_twice: Store, run: Run) -> None:
    ruled = {"classes": {"class 1": 0.8}, "default": None, "none_of_these": 0.25}
    assert run("thresholds", "digits", "stable")[:2] == (0, "none but those of the version\n")
    given = ("--class", "class 1=0.8", "--none-of-these", 0.25)
    code, out, _ = run("thresholds", "digits", "stable", *given)
    assert (code, json.loads(out)) == (0, ruled)
    assert json.loads(run("thresholds", "digits", "stable")[1]) == ruled
    rules = published_twice.task("digits").rules["stable"].thresholds
    assert rules is not None
    assert rules.model_dump() == ruled
    assert run("thresholds", "digits", "stable", "--off")[0] == 0
    assert published_twice.task("digits").rules == {}


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [(["--class", "River=0.5"], 1, "no class 'River'; there are: 'class 0'"),
     (["--off", "--default", "0.5"], 2, "--off takes all")],
)  # fmt: skip
def test_thresholds_that_make_no_sense(
    published_twice: Store, run: Run, options: list[str], code: int, said: str
) -> None:
    found, _, err = run("thresholds", "digits", "stable", *options)
    assert (found, published_twice.task("digits").rules) == (code, {})
    assert said in err


@pytest.mark.usefixtures("published_twice")
@pytest.mark.parametrize("options", [["--default", "1.5"], ["--class", "class 1"], ["--class", "=0.5"]])
def test_a_threshold_is_a_part(run: Run, options: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run("thresholds", "digits", "stable", *options)
    assert ended.value.code == 2
