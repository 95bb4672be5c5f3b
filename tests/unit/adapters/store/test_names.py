"""Names become path segments and parts of URLs, so only harmless ones pass."""

import pytest

from adapters.errors import InvalidName
from adapters.store.names import check_key, check_label_name, check_task_name, is_label_name, is_task_name

HARMFUL = [
    "", ".", "..", "../x", "a/../b", "/etc/passwd", "a/b", "a\\b", "a..b", ".hidden", "-flag", "_x", "Digits",
    "digits\n", "di gits", "ä", "٣", "a" * 65, "x\0y", "%2e%2e",
]  # fmt: skip


@pytest.mark.parametrize("name", ["digits", "sprites-orientation", "dtd10", "0", "a" * 64, "my.task_2-b"])
def test_good_task_names(name: str) -> None:
    assert check_task_name(name) == name
    assert is_task_name(name)


@pytest.mark.parametrize("name", [*HARMFUL, "labels", "backbone.json", "lost+found"])
def test_task_names_that_are_refused(name: str) -> None:
    with pytest.raises(InvalidName, match="task name"):
        check_task_name(name)
    assert not is_task_name(name)


@pytest.mark.parametrize("name", ["stable", "canary", "v2", "2024-summer"])
def test_good_label_names(name: str) -> None:
    assert check_label_name(name) == name
    assert is_label_name(name)


@pytest.mark.parametrize("name", [*HARMFUL, "3", "12"])
def test_label_names_that_are_refused(name: str) -> None:
    with pytest.raises(InvalidName, match="label name"):
        check_label_name(name)
    assert not is_label_name(name)


def test_the_error_shows_the_name_and_the_rule() -> None:
    with pytest.raises(InvalidName, match=r"'\.\./x' is not allowed: 1 to 64 of a-z"):
        check_task_name("../x")


def test_a_key_is_names_between_slashes() -> None:
    for key in ("a", "digits/labels/stable", "a.b/c-d", "Ä x/y"):
        assert check_key(key) == key
    for key in ("", "/a", "a/", "a//b", "a/.b", ".", "..", "a/../b", "a\0b"):
        with pytest.raises(InvalidName) as refused:
            check_key(key)
        told = f"{key!r} is not allowed as a key: no name in it may be empty or begin with a dot"
        assert str(refused.value) == told
