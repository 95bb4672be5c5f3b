"""What a key may do, as a file keeps it."""

from datetime import datetime
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, model_validator

from adapters.config import StrictModel
from service.access.scope import Scope
from service.access.secret import HashedSecret

Hex = Annotated[str, Field(pattern=r"^([0-9a-f]{2})+$")]
TaskPattern = Annotated[str, Field(pattern=r"^[A-Za-z0-9._*?\[\]!-]+$", max_length=128)]


class KeyRecord(StrictModel):
    """One key. `tasks` are patterns as a shell has them (`retail-*`); None is no limit."""

    id: str = Field(pattern=r"^[0-9a-f]{12}$")
    name: str = Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")
    scopes: tuple[Scope, ...] = Field(min_length=1)
    tasks: tuple[TaskPattern, ...] = Field(default=("*",), min_length=1)
    created: AwareDatetime
    expires: AwareDatetime | None = None
    revoked: AwareDatetime | None = None
    requests_per_s: int | None = Field(default=None, ge=1, le=1_000_000)
    concurrent_requests: int | None = Field(default=None, ge=1, le=1_000_000)
    salt: Hex
    scrypt: Hex

    @property
    def hashed(self) -> HashedSecret:
        """What is kept of its secret."""
        return HashedSecret(self.salt, self.scrypt)

    def is_valid(self, now: datetime) -> bool:
        """Whether it opens anything."""
        return self.revoked is None and (self.expires is None or now < self.expires)

    def may_use(self, scope: Scope, task: str | None) -> bool:
        """Whether it has the scope, and the task if there is one; admin has every scope."""
        if Scope.ADMIN not in self.scopes and scope not in self.scopes:
            return False
        return task is None or self.may_see(task)

    def may_see(self, task: str) -> bool:
        """Whether one of its patterns is the task's."""
        return any(fnmatchcase(task, pattern) for pattern in self.tasks)

    @property
    def may_see_all(self) -> bool:
        """Whether every task is one of its tasks; of a hundred thousand none is looked at then."""
        return "*" in self.tasks

    def state(self, now: datetime) -> Literal["valid", "revoked", "expired"]:
        """In a word, for a list."""
        if self.revoked is not None:
            return "revoked"
        return "valid" if self.is_valid(now) else "expired"


class KeyList(StrictModel):
    """The whole file; `format` is 1."""

    format: Literal[1] = 1
    keys: tuple[KeyRecord, ...] = ()

    @model_validator(mode="after")
    def _ids_differ(self) -> "KeyList":
        if len({key.id for key in self.keys}) < len(self.keys):
            raise ValueError("two keys have one id")
        return self
