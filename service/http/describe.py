"""What `GET /v1/tasks` tells of the registry."""

from adapters.config import STABLE
from service.http.wire import TaskDetail, TaskSummary
from service.residents.task_state import TaskState


def summarize(state: TaskState) -> TaskSummary:
    """One task in the list."""
    record = state.record
    return {
        "task": record.name,
        "versions": list(record.versions),
        "labels": dict(record.labels),
        "serving": {label: resident.version for label, resident in sorted(state.serving.items())},
        "refused": sorted(state.refusals),
        "problems": list(record.problems),
    }


def detail(state: TaskState) -> TaskDetail:
    """One task with everything a client may want to know before it sends pictures."""
    record, stable = state.record, state.serving.get(STABLE)
    return {
        "task": record.name,
        "labels": dict(record.labels),
        "versions": [{"version": n, "place": _place(state, n)} for n in record.versions],
        "serving": {
            label: {"version": resident.version, "digest": resident.config.tensors_sha256}
            for label, resident in sorted(state.serving.items())
        },
        "refused": [
            {"version": n, "kind": refusal.kind, "error": refusal.error, "attempts": refusal.attempts}
            for n, refusal in sorted(state.refusals.items())
        ],
        "problems": list(record.problems),
        "method": stable.config.method if stable else None,
        "layout": str(stable.layout) if stable else None,
        "classes": list(stable.config.classes) if stable else [],
    }


def _place(state: TaskState, version: int) -> str:
    resident = state.residents.get(version)
    if resident is not None:
        return "slot" if resident.slot else "host"
    return "refused" if version in state.refusals else "store"
