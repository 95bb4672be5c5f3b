"""The traffic of a label: what may be ruled, and what the rules of a label become."""

from adapters.config import STABLE
from adapters.errors import ConfigError, StoreConflict
from adapters.store.label_rules import LabelRules, LabelTraffic
from adapters.store.labels import LabelFile
from adapters.store.store import Store


def set_traffic(store: Store, task: str, label: str, traffic: LabelTraffic | None) -> LabelFile:
    """Rule the traffic of a label, or with None rule it no longer; the label.

    Raises ConfigError for rules that could never come to anything, StoreConflict for `stable` and for shares
    that are above 1 together, and what `Store.rule` raises.
    """
    if label == STABLE:
        raise StoreConflict(f"{STABLE!r} answers whatever no other label does, and has no share of its own")
    if traffic is not None:
        _require_counted(traffic)
        _require_room(store, task, label, traffic.canary_share)
    return store.rule(task, label, lambda rules: rules.model_copy(update={"traffic": traffic}))


def out_of_traffic(rules: LabelRules) -> LabelRules:
    """The rules of a label that answers nothing any more, with what else was ruled for it."""
    if rules.traffic is None:
        return rules
    traffic = rules.traffic.model_copy(update={"canary_share": 0.0, "shadow_share": 0.0})
    return rules.model_copy(update={"traffic": traffic})


def _require_counted(traffic: LabelTraffic) -> None:
    if traffic.promote is not None and not traffic.shadow_share:
        raise ConfigError(
            "promote goes by pictures that the label answers beside 'stable': a shadow_share is needed"
        )
    if traffic.roll_back is not None and not (traffic.canary_share or traffic.shadow_share):
        raise ConfigError("roll_back goes by requests of the label, which has no share")


def _require_room(store: Store, task: str, label: str, share: float) -> None:
    others = sum(
        rules.traffic.canary_share
        for name, rules in store.task(task).rules.items()
        if rules.traffic is not None and name != label
    )
    if share + others > 1:
        raise StoreConflict(
            f"the labels of task {task!r} would have {share + others:.6g} of its requests together"
        )
