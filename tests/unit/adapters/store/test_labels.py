import json
from pathlib import Path

import pytest

from adapters.errors import ArtifactFormat, LabelMoved
from adapters.store.label_rules import LabelRules, LabelThresholds, LabelTraffic
from adapters.store.labels import (
    ABSENT,
    HISTORY_LIMIT,
    PRESENT,
    LabelFile,
    label_key,
    read_label,
    read_labels,
    require_etag,
    write_label,
)
from adapters.store.local_files import LocalFiles


@pytest.fixture
def files(tmp_path: Path) -> LocalFiles:
    return LocalFiles(tmp_path)


def test_a_label_is_one_file_in_a_folder_of_its_task(files: LocalFiles, tmp_path: Path) -> None:
    assert label_key("digits", "stable") == "digits/labels/stable"

    write_label(files, "digits", "stable", LabelFile(version=3, history=(1, 2)))

    text = (tmp_path / "digits" / "labels" / "stable").read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert json.loads(text) == {"format_version": 1, "version": 3, "history": [1, 2]}
    assert read_label(files, "digits", "stable") == LabelFile(version=3, history=(1, 2))


def test_where_no_label_is_there_is_none(files: LocalFiles) -> None:
    assert read_label(files, "digits", "stable") is None
    assert read_labels(files, "digits") == ({}, {})


def test_a_move_remembers_where_the_label_was() -> None:
    first = LabelFile(version=1)
    assert first.moved_to(4).moved_to(2) == LabelFile(version=2, history=(1, 4))
    assert first.moved_to(1) is first


def test_the_oldest_moves_are_forgotten() -> None:
    label = LabelFile(version=1)
    for version in range(2, HISTORY_LIMIT + 2):
        label = label.moved_to(version)
    assert label.history == tuple(range(1, HISTORY_LIMIT + 1))

    assert label.moved_to(500).history == tuple(range(2, HISTORY_LIMIT + 2))


@pytest.mark.parametrize(
    ("history", "versions", "after"),
    [
        ((1, 2), (1, 2, 3), (2, (1,))),
        ((1, 2), (1, 3), (1, ())),
        ((1, 2, 3), (1, 2, 3), (2, (1,))),  # back to where it is would be no way back
        ((1, 2, 1), (1, 2, 3), (1, (1, 2))),
        ((1,), (1, 3), (1, ())),
    ],
)
def test_rolling_back_goes_to_the_last_version_that_is_left(
    history: tuple[int, ...], versions: tuple[int, ...], after: tuple[int, tuple[int, ...]]
) -> None:
    version, rest = after
    rolled_back = LabelFile(version=3, history=history).rolled_back(versions)
    assert rolled_back == LabelFile(version=version, history=rest)


@pytest.mark.parametrize(("history", "versions"), [((), (1, 2, 3)), ((1, 2), (3,)), ((3, 3), (3,))])
def test_there_may_be_no_way_back(history: tuple[int, ...], versions: tuple[int, ...]) -> None:
    assert LabelFile(version=3, history=history).rolled_back(versions) is None


def test_a_damaged_label_is_named_and_the_others_are_read(files: LocalFiles) -> None:
    write_label(files, "digits", "stable", LabelFile(version=1))
    write_label(files, "digits", "weekly", LabelFile(version=2))
    files.put(label_key("digits", "canary"), b'{"format_version": 1, "version": 0, "history": []}')
    files.put(label_key("digits", "12"), b"{}")  # a number is no label's name

    labels, damaged = read_labels(files, "digits")

    assert labels == {"stable": LabelFile(version=1), "weekly": LabelFile(version=2)}
    assert list(damaged) == ["canary"]
    assert damaged["canary"].startswith("label 'canary' of 'digits': 'version': input should be greater")
    with pytest.raises(ArtifactFormat, match=r"^label 'canary' of 'digits': 'version': "):
        read_label(files, "digits", "canary")


class Vanishing(LocalFiles):
    """Another process removes the label `stable` once it was listed."""

    def files(self, folder: str) -> list[str]:
        listed = super().files(folder)
        self.remove(f"{folder}/stable")
        return listed


def test_a_label_removed_while_labels_are_read_is_no_fault(tmp_path: Path) -> None:
    files = Vanishing(tmp_path)
    for label in ("stable", "weekly"):
        write_label(files, "digits", label, LabelFile(version=1))

    assert read_labels(files, "digits") == ({"weekly": LabelFile(version=1)}, {})


def test_rules_stay_when_the_label_moves(files: LocalFiles) -> None:
    rules = LabelRules(thresholds=LabelThresholds(default=0.5))
    label = LabelFile(version=1).ruled(rules).moved_to(2)

    write_label(files, "digits", "stable", label)

    assert read_label(files, "digits", "stable") == label
    assert label.rules == rules
    back = label.rolled_back((1, 2))
    assert back is not None
    assert (back.version, back.rules) == (1, rules)


def test_no_rules_leave_no_trace() -> None:
    label = LabelFile(version=1)
    assert label.ruled(LabelRules()).encoded() == label.encoded()


def test_whatever_changes_changes_the_etag() -> None:
    label = LabelFile(version=1)
    others = (label.moved_to(2), label.ruled(LabelRules(traffic=LabelTraffic(canary_share=0.1))))
    assert len({label.etag, LabelFile(version=1, history=(2,)).etag, *(each.etag for each in others)}) == 4
    assert label.etag == LabelFile(version=1).etag


def test_what_was_expected_of_a_label_is_asked_for() -> None:
    label = LabelFile(version=3)
    for found, expected in (
        (label, None), (None, None), (None, [ABSENT]), (label, [PRESENT]), (label, ["other", label.etag]),
    ):  # fmt: skip
        require_etag("stable", found, expected)
    for found, expected in ((label, [ABSENT]), (label, []), (label, ["other"]), (None, [PRESENT, "other"])):
        with pytest.raises(LabelMoved) as caught:
            require_etag("stable", found, expected)
        assert (caught.value.version, caught.value.etag) == ((3, label.etag) if found else (None, None))
