"""Tables of the documents that training writes."""

from collections.abc import Sequence

from adapters.command.streams import printable


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        "| " + " | ".join(printable(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )
