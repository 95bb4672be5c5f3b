"""Versions that could not be taken into service, and when to try them again."""

from dataclasses import dataclass

from adapters.store.files import Fingerprint

MAX_ATTEMPTS = 5
FIRST_PAUSE_S = 2.0


@dataclass(frozen=True)
class Refusal:
    """Why a version was refused: `error` for people, `kind` the error's class."""

    kind: str
    error: str
    attempts: int
    retry_at_s: float
    fingerprint: Fingerprint

    def may_retry(self, now_s: float, fingerprint: Fingerprint) -> bool:
        """True once the pause is over, a few times only; and whenever the files have changed."""
        if fingerprint != self.fingerprint:
            return True
        return self.attempts < MAX_ATTEMPTS and now_s >= self.retry_at_s


def next_refusal(before: Refusal | None, error: Exception, now_s: float, fingerprint: Fingerprint) -> Refusal:
    """The refusal after one more failed attempt; pauses double, and changed files start anew."""
    same = before is not None and before.fingerprint == fingerprint
    attempts = before.attempts + 1 if same and before else 1
    retry_at_s = now_s + FIRST_PAUSE_S * 2 ** (attempts - 1)
    return Refusal(type(error).__name__, str(error), attempts, retry_at_s, fingerprint)
