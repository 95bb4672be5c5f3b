import re
from typing import Literal

import pytest
from pydantic import BaseModel, ValidationError, field_validator

from adapters.config import FORMAT_VERSION, StrictModel
from adapters.errors import ArtifactFormat
from adapters.store.strict_json import first_error, parse_json


class Inner(StrictModel):
    size: int = 3


class Document(StrictModel):
    format_version: Literal[1] = FORMAT_VERSION
    name: str
    inner: Inner = Inner()
    pair: tuple[int, int] | None = None

    @field_validator("name")
    @classmethod
    def _not_taken(cls, name: str) -> str:
        if name == "taken":
            raise ValueError("This name is taken")
        return name


WHOLE = b'{"format_version": 1, "name": "n", "inner": {"size": 4}, "pair": [1, 2]}'


def test_a_whole_document_is_read() -> None:
    assert parse_json(Document, WHOLE, "it") == Document(name="n", inner=Inner(size=4), pair=(1, 2))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[]", "it holds a JSON list, not an object"),
        (b'"text"', "it holds a JSON str, not an object"),
        (b"{}", "it: 'format_version': must be a whole number, got None"),
        (b'{"format_version": true}', "it: 'format_version': must be a whole number, got True"),
        (
            b'{"format_version": "' + b"9" * 200 + b'"}',
            "it: 'format_version': must be a whole number, got '" + "9" * 79,
        ),
        (
            b'{"format_version": 2}',
            "it has format version 2; this release reads up to 1, so it was written by a newer one",
        ),
        (b'{"format_version": 0}', "it: 'format_version': input should be 1, got 0 (and 1 more)"),
        (b'{"format_version": 1}', "it: key 'name' is missing"),
        (WHOLE.replace(b'"inner"', b'"outer"'), "it: unknown key 'outer'"),
        (WHOLE.replace(b'"size"', b'"length"'), "it: unknown key 'inner.length'"),
        (WHOLE.replace(b'{"size": 4}', b"{}"), "it: key 'inner.size' is missing"),
        (WHOLE.replace(b', "pair": [1, 2]', b""), "it: key 'pair' is missing"),
        (WHOLE.replace(b'"n"', b"7"), "it: 'name': input should be a valid string, got 7"),
        (WHOLE.replace(b'"n"', b'"taken"'), "it: 'name': this name is taken, got 'taken'"),
        (WHOLE.replace(b"[1, 2]", b'["1", 2]'), "it: 'pair.0': input should be a valid integer, got '1'"),
        (WHOLE.replace(b"[1, 2]", b"{}"), "it: 'pair': input should be a valid array"),
        (
            WHOLE.replace(b'"n"', b"7").replace(b"[1, 2]", b"{}"),
            "it: 'name': input should be a valid string, got 7 (and 1 more)",
        ),
    ],
)
def test_what_is_wrong_is_told_in_one_line(data: bytes, message: str) -> None:
    with pytest.raises(ArtifactFormat, match=f"^{re.escape(message)}$"):
        parse_json(Document, data, "it")


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", WHOLE.replace(b"4", b"NaN"), WHOLE + b"{"])
def test_bytes_that_are_no_json_are_refused(data: bytes) -> None:
    with pytest.raises(ArtifactFormat, match=r"^it is not readable JSON: .+"):
        parse_json(Document, data, "it")


def test_a_long_value_is_cut() -> None:
    with pytest.raises(ArtifactFormat) as refused:
        parse_json(Document, WHOLE.replace(b"[1, 2]", b'"' + b"p" * 500 + b'"'), "it")
    assert str(refused.value) == "it: 'pair': input should be a valid array, got '" + "p" * 79


class Whole(BaseModel):
    """A model that is wrong as a whole has no field to name."""

    root: int = 0

    @field_validator("root")
    @classmethod
    def _never(cls, _: int) -> int:
        raise ValueError("Nothing will do")


def test_an_error_without_a_field_is_told_alone() -> None:
    with pytest.raises(ValidationError) as refused:
        Whole.model_validate([1])
    assert first_error(refused.value).startswith("input should be a valid dictionary or instance of Whole")
