"""Versions that could not be taken into service, and when to try them again.

There is no last attempt: a disk may heal without a change of the files, and a version is tried only while a
label in use names it or a request asks for it. One that nobody has asked for in a while is forgotten.
"""

from dataclasses import dataclass

from adapters.store.files import Fingerprint

FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 60.0
REMEMBERED_S = 900.0
"""How long a refusal is remembered after the time from which it may be tried again."""


@dataclass(frozen=True)
class Refusal:
    """Why a version was refused: `error` for people, `kind` the error's class."""

    kind: str
    error: str
    attempts: int
    retry_at_s: float
    fingerprint: Fingerprint

    def may_retry(self, now_s: float, fingerprint: Fingerprint) -> bool:
        """True once the pause is over, and whenever the files have changed."""
        return fingerprint != self.fingerprint or now_s >= self.retry_at_s

    def expired(self, now_s: float) -> bool:
        """Whether it is to be forgotten."""
        return now_s >= self.retry_at_s + REMEMBERED_S


def next_refusal(before: Refusal | None, error: Exception, now_s: float, fingerprint: Fingerprint) -> Refusal:
    """The refusal after one more failed attempt; pauses double up to a minute, changed files start anew."""
    same = before is not None and before.fingerprint == fingerprint
    attempts = before.attempts + 1 if same and before else 1
    pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(attempts - 1, 10))
    return Refusal(type(error).__name__, str(error), attempts, now_s + pause_s, fingerprint)
