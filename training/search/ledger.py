"""Rows that outlive a killed process: a CSV file that is appended to, one durable line at a time."""

import csv
import io
import os
from pathlib import Path
from typing import Generic, TypeVar

from filelock import lock_descriptor
from pydantic import ValidationError

from adapters.config import StrictModel
from training.errors import CheckpointDamaged

Row = TypeVar("Row", bound=StrictModel)


class Ledger(Generic[Row]):
    """A CSV file of rows of one kind. A line that a kill cut short does not count, and is cut off."""

    def __init__(self, path: Path, kind: type[Row]) -> None:
        self.path = path
        self._kind = kind
        self._names = list(kind.model_fields)

    def rows(self) -> list[Row]:
        """All whole rows, in the order they were written. Raises CheckpointDamaged."""
        if not self.path.is_file():
            return []
        text = self.path.read_bytes()[: self._whole_bytes()].decode(errors="surrogateescape")
        reader = csv.DictReader(io.StringIO(text, newline=""))
        try:
            return [
                self._kind.model_validate({name: value if value else None for name, value in line.items()})
                for line in reader
            ]
        except ValidationError as error:
            fault = error.errors()[0]
            where = ".".join(map(str, fault["loc"]))
            raise CheckpointDamaged(
                f"{self.path}, line {reader.line_num}: {where}: {fault['msg']}; "
                "move the file away to start over"
            ) from error

    def append(self, row: Row) -> None:
        """Add one row; it is on the disk when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = io.StringIO(newline="")
        writer = csv.DictWriter(line, self._names, lineterminator="\n")
        with self.path.open("ab") as file:
            # Processes that share the work by tasks may append to one file. The lock is on that file itself,
            # so that no other lies beside results that people keep, and ends when it is closed.
            lock_descriptor(file.fileno())
            file.truncate(self._whole_bytes())
            if file.seek(0, os.SEEK_END) == 0:
                writer.writeheader()
            writer.writerow(row.model_dump(mode="json", round_trip=True))
            file.write(line.getvalue().encode(errors="surrogateescape"))
            file.flush()
            os.fsync(file.fileno())

    def _whole_bytes(self) -> int:
        """How many bytes the whole lines have."""
        return self.path.read_bytes().rfind(b"\n") + 1
