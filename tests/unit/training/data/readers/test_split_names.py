import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.readers.split_names import ALIASES, FILLERS, SPLITS, resembles_split, split_named


@given(st.sampled_from(sorted(SPLITS)), st.sampled_from(FILLERS), st.sampled_from("_- ."), st.booleans())
def test_any_case_and_filler(alias: str, filler: str, between: str, before: bool) -> None:
    name = f"{filler}{between}{alias}" if before else f"{alias}{between}{filler}"
    for written in (alias, name, name.upper(), name.title(), f"{alias}{filler}"):
        assert split_named(written) == SPLITS[alias]


@pytest.mark.parametrize("name", ["cat", "trainer", "testudo", "valley", "train2017", "seg_test", "data", ""])
def test_other_names(name: str) -> None:
    assert split_named(name) is None


def test_what_looks_like_a_split() -> None:
    assert all(map(resembles_split, ("train2017", "seg_test", "my val", *ALIASES)))
    assert not any(map(resembles_split, ("cat", "trainer", "valley", "")))
