"""Thresholds of a label: set and taken away while services answer by it."""

from adapters.store.class_lists import require_known_classes
from adapters.store.label_rules import LabelRules, LabelThresholds
from adapters.store.labels import LabelFile
from adapters.store.store import Store


def rule_thresholds(store: Store, task: str, label: str, thresholds: LabelThresholds | None) -> LabelFile:
    """Give a label these thresholds instead of those it had; the label. None takes them away.

    Raises TaskNotFound, LabelNotFound, ArtifactError, and ClassNotFound for a name that the label's version
    has not.
    """
    given = None if thresholds == LabelThresholds() else thresholds

    def change(rules: LabelRules) -> LabelRules:
        if given is not None and given.classes:
            version = store.label(task, label).version  # it cannot move: the task is locked
            require_known_classes(given.classes, store.config(task, version).classes)
        return rules.model_copy(update={"thresholds": given})

    return store.rule(task, label, change)
