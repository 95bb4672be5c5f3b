"""What `GET /v1/tasks` tells of the registry."""

from adapters.config import STABLE
from service.http.wire import Replicas, TaskDetail, TaskSummary
from service.peers.peers import Readiness
from service.peers.question import Serving
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


def detail(state: TaskState, replicas: Readiness) -> TaskDetail:
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
        "replicas": _replicas(replicas),
    }


def answering(state: TaskState) -> Serving:
    """By label, the version with which this process answers, be it that the first request loads it."""
    would = {label: n for label, n in state.record.labels.items() if n not in state.refusals}
    return would | {label: resident.version for label, resident in state.serving.items()}


def _replicas(replicas: Readiness) -> Replicas:
    serving = {
        label: {str(version): count for version, count in counts.items()}
        for label, counts in replicas.serving.items()
    }
    return {"all": replicas.all, "ready": replicas.ready, "serving": serving}


def _place(state: TaskState, version: int) -> str:
    resident = state.residents.get(version)
    if resident is not None:
        return "slot" if resident.slot else "host"
    return "refused" if version in state.refusals else "store"
