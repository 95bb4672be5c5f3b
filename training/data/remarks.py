"""What a user should know of the data before trusting a figure: left out, equal, unbalanced."""

from dataclasses import dataclass
from typing import Literal

SHOWN = 5
RemarkKind = Literal["left_out", "equal_across", "two_labels", "equal_within", "unbalanced", "read_as"]


@dataclass(frozen=True)
class Remark:
    """`count` of `what`, with the names; `str` shows the first few.

    `left_out`: files and folders that are not read. `equal_across`, `two_labels`, `equal_within`: pictures of
    the same content in two splits, under two labels, twice in a split. `unbalanced`: classes of unlike size.
    `read_as`: a layout that could have been meant otherwise.
    """

    kind: RemarkKind
    what: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        more = f" and {len(self.names) - SHOWN} more" if len(self.names) > SHOWN else ""
        return f"{len(self.names):,} {self.what}: {', '.join(self.names[:SHOWN])}{more}"

    def plain(self) -> dict[str, object]:
        """As JSON has it, with every name."""
        return {"kind": self.kind, "what": self.what, "count": len(self.names), "names": list(self.names)}
