"""How a task's splits depart from its benchmark's own: stored as facts, put in words here alone."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from adapters.config import StrictModel

SplitName = Literal["train", "val", "test"]


class Departure(StrictModel):
    """Splits that are not the benchmark's own; `str` puts it in words.

    `benchmark` and `task` are called as they are published: VTAB-1k, EuroSAT.
    """

    benchmark: str
    task: str
    splits: tuple[SplitName, ...] = Field(min_length=1)

    def __str__(self) -> str:
        splits = ", ".join(self.splits)
        return f"{splits}: {self._what()}: not the official {self.benchmark} split of {self.task}"

    def _what(self) -> str:
        raise NotImplementedError


class OtherSize(Departure):
    """Lists of another length than the benchmark's."""

    kind: Literal["other_size"] = "other_size"
    pictures: int
    official_pictures: int

    def __str__(self) -> str:
        official = f"{self.official_pictures} of the official {self.benchmark} split of {self.task}"
        return f"{', '.join(self.splits)}: {self.pictures} pictures, not the {official}"


class ClassFolders(Departure):
    """Class folders below the name of a benchmark's task."""

    kind: Literal["class_folders"] = "class_folders"
    source: str

    def _what(self) -> str:
        return f"classes and splits of {self.source}"


class DrawnByFormula(Departure):
    """Pictures drawn the way dSprites draws its own."""

    kind: Literal["drawn_by_formula"] = "drawn_by_formula"

    def _what(self) -> str:
        return "drawn by formula as dSprites draws"


class Redrawn(Departure):
    """Splits drawn anew, each class in proportion: `pictures` of each split, out of `of_pictures`."""

    kind: Literal["redrawn"] = "redrawn"
    source: str
    pictures: tuple[int, ...]
    of_pictures: PositiveInt
    seed: int

    @model_validator(mode="after")
    def _a_number_for_each_split(self) -> Self:
        if len(self.pictures) != len(self.splits):
            raise ValueError(f"{len(self.splits)} splits, but {len(self.pictures)} numbers of pictures")
        return self

    def _what(self) -> str:
        numbers = " and ".join(map(str, self.pictures))
        return f"{numbers} of {self.of_pictures} of {self.source}, by class, seed {self.seed}"


class OwnParts(Departure):
    """The parts of a published set that are not those of the benchmark's lists."""

    kind: Literal["own_parts"] = "own_parts"
    source: str

    def _what(self) -> str:
        parts = "part" if len(self.splits) == 1 else "parts"
        return f"the own {parts} of {self.source}"


AnyDeparture = Annotated[
    OtherSize | ClassFolders | DrawnByFormula | Redrawn | OwnParts, Field(discriminator="kind")
]
