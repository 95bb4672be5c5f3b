"""The index files name every document there is, and no document names what is not there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS, RECORDS, BENCHMARKS = ROOT / "docs", ROOT / "docs/adr", ROOT / "benchmarks"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md"), *RECORDS.glob("*.md"), BENCHMARKS / "README.md"])
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
SOURCE = re.compile(r"`((?:adapters|service|training|demo|benchmarks|tests|docker)(?:/\w[\w.-]*)+/?)`")
HEADING = re.compile(r"# (\d+)\. (.+)")
ROW = re.compile(r"^\| (\d+) \| \[(.+?)\]\((.+?)\) \| [a-z].* \| \d{4}-\d\d-\d\d \|$", re.MULTILINE)


def test_the_index_names_every_document() -> None:
    links = set(LINK.findall((DOCS / "README.md").read_text()))
    assert {page.name for page in DOCS.glob("*.md")} - {"README.md"} <= links


def test_the_list_of_decisions_has_every_record_under_its_number_and_title() -> None:
    rows = ROW.findall((RECORDS / "README.md").read_text())
    records = sorted(RECORDS.glob("[0-9]*.md"))
    assert rows == [(*_heading(record), record.name) for record in records]
    assert all(int(record.name[:4]) == int(_heading(record)[0]) for record in records)


def test_the_list_of_decisions_names_the_numbers_that_were_never_used() -> None:
    text = (RECORDS / "README.md").read_text()
    used = {int(record.name[:4]) for record in RECORDS.glob("[0-9]*.md")}
    unused = re.search(r"The numbers (.+) were never used", text)
    assert unused is not None
    assert _numbers(unused.group(1)) == set(range(1, max(used))) - used


def test_the_list_of_benchmarks_names_every_script() -> None:
    scripts = {path.stem for path in BENCHMARKS.glob("*.py")} - {"__init__"}
    scripts |= {path.parent.name for path in BENCHMARKS.glob("*/__main__.py")}
    named = set(re.findall(r"`(\w+)[` ]", (BENCHMARKS / "README.md").read_text()))
    assert scripts - named == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_document_links_or_names_is_there(page: Path) -> None:
    text = page.read_text()
    links = [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    sources = [name for name in SOURCE.findall(text) if not (ROOT / name).exists()]
    assert links + sources == []


def _heading(record: Path) -> tuple[str, str]:
    found = HEADING.match(record.read_text())
    assert found is not None, record
    return found.group(1), found.group(2)


def _numbers(text: str) -> set[int]:
    """`7 to 9, 15 and 16` → those numbers."""
    numbers: set[int] = set()
    for part in re.split(r", | and ", text):
        first, _, last = part.partition(" to ")
        numbers |= set(range(int(first), int(last or first) + 1))
    return numbers
