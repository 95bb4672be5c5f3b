from pathlib import Path

import pytest

from adapters.environment import cache_folder, variable


@pytest.mark.parametrize(
    ("given", "meant"), [("/store\n", "/store"), (" a b ", "a b"), ("", None), ("\r\n", None)]
)
def test_white_space_around_a_value_is_no_part_of_it(given: str, meant: str | None) -> None:
    assert variable("X", {"X": given}) == meant
    assert variable("Y", {"X": given}) is None


def test_the_cache_is_found_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache\n")
    assert cache_folder() == Path("/cache")

    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", "/home/x")
    assert cache_folder() == Path("/home/x/.cache")
