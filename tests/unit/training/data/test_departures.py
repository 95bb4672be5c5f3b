import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from training.data.departures import (
    AnyDeparture,
    ClassFolders,
    DrawnByFormula,
    OtherSize,
    OwnParts,
    Redrawn,
    SplitName,
)

ANY: TypeAdapter[AnyDeparture] = TypeAdapter(AnyDeparture)
NAMES: tuple[SplitName, ...] = ("train", "val", "test")
TITLES = st.sampled_from(["EuroSAT", "CIFAR-100", "Oxford Flowers"])
COMMON = {
    "benchmark": st.sampled_from(["VTAB-1k", "FGVC"]),
    "task": TITLES,
    "splits": st.lists(st.sampled_from(NAMES), min_size=1, unique=True).map(tuple),
}
SOURCES = st.sampled_from(["EuroSAT by torchvision", "ImageFolder pets"])
COUNTS = st.integers(1, 10_000)


@st.composite
def _redrawn(draw: st.DrawFn) -> Redrawn:
    common = {name: draw(values) for name, values in COMMON.items()}
    return Redrawn(
        **common,
        source=draw(SOURCES),
        pictures=tuple(draw(COUNTS) for _ in common["splits"]),
        of_pictures=draw(COUNTS),
        seed=draw(st.integers(0, 9)),
    )


KINDS: tuple[st.SearchStrategy[AnyDeparture], ...] = (
    st.builds(OtherSize, **COMMON, pictures=COUNTS, official_pictures=COUNTS),
    st.builds(ClassFolders, **COMMON, source=SOURCES),
    st.builds(DrawnByFormula, **COMMON),
    st.builds(OwnParts, **COMMON, source=SOURCES),
    _redrawn(),
)
DEPARTURES: st.SearchStrategy[AnyDeparture] = st.one_of(*KINDS)


@given(DEPARTURES)
def test_a_departure_is_read_as_it_was_written(departure: AnyDeparture) -> None:
    assert ANY.validate_json(ANY.dump_json(departure)) == departure


@given(st.one_of(*(st.tuples(kind, kind) for kind in KINDS)))
def test_a_fact_that_changes_changes_the_words(pair: tuple[AnyDeparture, AnyDeparture]) -> None:
    one, other = pair
    for field in type(one).model_fields:
        changed = one.model_copy(update={field: getattr(other, field)})
        assert (str(one) == str(changed)) == (one == changed)


@given(DEPARTURES)
def test_the_words_begin_with_the_splits_and_end_with_the_task(departure: AnyDeparture) -> None:
    assert str(departure).startswith(f"{', '.join(departure.splits)}: ")
    assert str(departure).endswith(f"the official {departure.benchmark} split of {departure.task}")


def test_each_split_that_was_drawn_anew_has_its_number() -> None:
    with pytest.raises(ValueError, match="2 splits, but 1 numbers"):
        Redrawn(
            benchmark="VTAB-1k", task="DTD", splits=("train", "val"), source="DTD", pictures=(800,),
            of_pictures=1880, seed=0,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("departure", "words"),
    [
        (
            OtherSize(benchmark="VTAB-1k", task="DTD", splits=("test",), pictures=9, official_pictures=10),
            "test: 9 pictures, not the 10 of the official VTAB-1k split of DTD",
        ),
        (
            ClassFolders(benchmark="VTAB-1k", task="DTD", splits=("train", "val"), source="pets"),
            "train, val: classes and splits of pets: not the official VTAB-1k split of DTD",
        ),
        (
            DrawnByFormula(benchmark="VTAB-1k", task="DTD", splits=("train",)),
            "train: drawn by formula as dSprites draws: not the official VTAB-1k split of DTD",
        ),
        (
            OwnParts(benchmark="VTAB-1k", task="DTD", splits=("test",), source="DTD"),
            "test: the own part of DTD: not the official VTAB-1k split of DTD",
        ),
        (
            OwnParts(benchmark="VTAB-1k", task="DTD", splits=("val", "test"), source="DTD"),
            "val, test: the own parts of DTD: not the official VTAB-1k split of DTD",
        ),
        (
            Redrawn(
                benchmark="VTAB-1k", task="DTD", splits=("train", "val"), source="DTD",
                pictures=(800, 200), of_pictures=1880, seed=3,
            ),
            "train, val: 800 and 200 of 1880 of DTD, by class, seed 3: not the official VTAB-1k split of DTD",
        ),
    ],
)  # fmt: skip
def test_each_kind_has_its_words(departure: AnyDeparture, words: str) -> None:
    assert str(departure) == words
