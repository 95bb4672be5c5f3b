"""Which label answers a plain request: by its key, or at random."""

from collections.abc import Mapping
from hashlib import blake2b

from adapters.store.label_rules import LabelRules

POINTS = 2**64


def point(task: str, key: bytes) -> float:
    """Where in [0, 1) a key stands for a task: in every process, and after every start, at the same place."""
    digest = blake2b(key, digest_size=8, key=blake2b(task.encode(), digest_size=32).digest()).digest()
    return (int.from_bytes(digest) >> 11) / (POINTS >> 11)  # 53 bits, which a float holds exactly


def chosen(rules: Mapping[str, LabelRules], at: float) -> str | None:
    """The label whose share of [0, 1) has the point `at`, None where `stable` answers.

    The labels' shares lie one after the other, by name: whose point is in a label's share is still so when
    that share grows.
    """
    end = 0.0
    for label in sorted(rules):
        traffic = rules[label].traffic
        if traffic is not None and traffic.canary_share:
            end += traffic.canary_share
            if at < end:
                return label
    return None
