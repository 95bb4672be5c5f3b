"""What makes a run the run it is: options by their values, and what they act on by its content."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from training.run_directory import RunDirectory

FILE = "identity.json"
WORDS: Mapping[str, str] = MappingProxyType(
    {
        "train_sha256": "the training pictures",
        "val_sha256": "the val pictures",
        "test_sha256": "the test pictures",
        "backbone": "the backbone",
        "precision": "the precision",
        "warm_start": "what it starts from",
    }
)


@dataclass(frozen=True)
class Identity:
    """Options that change the result and are not the default; contents are digests, or short texts."""

    options: Mapping[str, Any]
    contents: Mapping[str, str]

    @property
    def key(self) -> str:
        """Twelve hex digits that name the run."""
        text = json.dumps([self.options, self.contents], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def write(self, directory: RunDirectory) -> None:
        """Leave it in the run directory, for later runs to compare themselves with."""
        directory.write_json(FILE, asdict(self))

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """That of a run directory; None where there is none that can be read."""
        try:
            return cls(**json.loads((path / FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def changes_from(self, other: "Identity") -> list[str]:
        """In what it is not the other, in words."""
        mine, others = self.contents, other.contents
        names = sorted(mine.keys() | others.keys())
        changed = [WORDS.get(name, name) for name in names if mine.get(name) != others.get(name)]
        for name in sorted(self.options.keys() | other.options.keys()):
            before, now = other.options.get(name, "the default"), self.options.get(name, "the default")
            if before != now:
                changed.append(f"--{name.replace('_', '-')} ({now}, there {before})")
        return changed


def latest_before(directory: Path, prefix: str) -> tuple[Path, Identity] | None:
    """The run beside `directory` that was worked in last, among those whose names begin with `prefix`."""
    for path in sorted(directory.parent.glob(f"*/{FILE}"), key=lambda path: -path.stat().st_mtime):
        identity = Identity.read(path.parent)
        if identity is not None and path.parent != directory and path.parent.name.startswith(prefix):
            return path.parent, identity
    return None
