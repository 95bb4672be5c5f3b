from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from training.data.inspection.contents import equal_pictures, first_of_each, with_contents
from training.data.source import Split, TaskData
from training.data.splits import with_shots, with_test


def new_split(contents: list[int], labels: list[int], title: str = "train") -> Split:
    names = tuple(f"{title}/{row}.png" for row in range(len(contents)))
    return Split(names, tuple(labels), tuple(map(Path, names)), tuple(map(str, contents)))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1)), max_size=20), st.integers(0, 20))
def test_remarks_count_what_is_equal(rows: list[tuple[int, int]], at: int) -> None:
    contents, labels = [content for content, _ in rows], [label for _, label in rows]
    splits = {
        "train": new_split(contents[:at], labels[:at]),
        "test": new_split(contents[at:], labels[at:], "test"),
    }
    data = TaskData(("a", "b"), {"train": splits["train"], "test": splits["test"]}, "a test")
    found = {remark.what.split()[0] + remark.kind: len(remark.names) for remark in equal_pictures(data)}
    across = sum(content in contents[:at] for content in contents[at:])
    assert found.pop("ofequal_across", 0) == across
    assert found.pop("picturestwo_labels", 0) == sum(
        len({label for other, label in rows if other == content}) > 1 for content in set(contents)
    )
    assert sum(found.values()) == len(rows) - len(set(contents[:at])) - len(set(contents[at:]))


@given(st.integers(0, 100), st.integers(1, 4))
def test_equal_pictures_are_not_parted(seed: int, copies: int) -> None:
    contents = [content for content in range(12) for _ in range(copies)]
    data = TaskData(
        ("a", "b"), {"train": new_split(contents, [content % 2 for content in contents])}, "a test"
    )
    cut = with_test(data, 0.25, seed)
    assert len(cut.splits["test"]) == 3 * copies
    assert not set(cut.splits["train"].contents) & set(cut.splits["test"].contents)


def test_the_first_of_each() -> None:
    assert first_of_each(new_split([3, 3, 1, 3], [0, 0, 1, 0])) == [0, 2]


@given(st.integers(1, 6), st.integers(0, 50))
def test_shots_are_of_train_and_val_together(shots: int, seed: int) -> None:
    train, val = new_split(list(range(8)), [0, 1] * 4), new_split(list(range(8, 12)), [0, 1] * 2, "val")
    few = with_shots(TaskData(("a", "b"), {"train": train, "val": val}, "a test"), shots, seed, "trainval")
    labels = [label for split in few.splits.values() for label in split.labels]
    assert labels.count(0) == labels.count(1) == min(shots, 6)
    assert all(few.splits.values())
    assert "train" in few.splits


def test_what_is_known_is_not_read_again(tmp_path: Path) -> None:
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for number, file in enumerate(files):
        file.write_bytes(bytes([number]))
    split = Split(("a.png", "b.png"), (0, 1), tuple(files))
    known: dict[str, str] = {}
    read = with_contents(TaskData(("a", "b"), {"train": split}, "a test"), known).splits["train"]
    for file in files:
        file.unlink()
    later = TaskData(("a", "b"), {"train": split.rows([1]), "test": split.rows([0])}, "a test")
    again = with_contents(later, known)
    assert again.splits["test"].contents + again.splits["train"].contents == read.contents
