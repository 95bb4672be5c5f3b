"""What `GET /v1/tasks` tells of the registry."""

from adapters.config import STABLE
from adapters.kinds.adapter_config import AdapterConfig
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
        "serving": answering(state),
        "refused": sorted(state.refusals),
        "problems": list(record.problems),
    }


def answering(state: TaskState) -> dict[str, int]:
    """Which version answers for each label in use, and for `stable` also where it would be loaded first."""
    serving = {label: resident.version for label, resident in state.serving.items()}
    stable = state.record.labels.get(STABLE)
    if STABLE not in serving and stable is not None and stable not in state.refusals:
        serving[STABLE] = stable
    return dict(sorted(serving.items()))


def detail(state: TaskState, stable: AdapterConfig | None, replicas: Readiness) -> TaskDetail:
    """One task with everything a client may want to know before it sends pictures.

    `stable` is the configuration of what answers for that label, None where it cannot be had.
    """
    record = state.record
    digests = {label: resident.config.tensors_sha256 for label, resident in state.serving.items()}
    if stable is not None:
        digests[STABLE] = stable.tensors_sha256
    return {
        "task": record.name,
        "labels": dict(record.labels),
        "versions": [{"version": n, "place": _place(state, n)} for n in record.versions],
        "serving": {
            label: {"version": version, "digest": digests[label]}
            for label, version in answering(state).items()
            if label in digests
        },
        "refused": [
            {"version": n, "kind": refusal.kind, "error": refusal.error, "attempts": refusal.attempts}
            for n, refusal in sorted(state.refusals.items())
        ],
        "problems": list(record.problems),
        "method": stable.method if stable else None,
        "accuracy": _accuracy(stable) if stable else None,
        "layout": _layout(state),
        "classes": list(stable.classes) if stable else [],
        "replicas": _replicas(replicas),
    }


def would_answer(state: TaskState) -> Serving:
    """By label, the version with which this process answers, be it that the first request loads it."""
    would = {label: n for label, n in state.record.labels.items() if n not in state.refusals}
    return would | {label: resident.version for label, resident in state.serving.items()}


def _accuracy(config: AdapterConfig) -> float | None:
    """What training found on test pictures; the block is free, so anything may stand there."""
    metrics = config.provenance.get("metrics")
    accuracy = metrics.get("accuracy") if isinstance(metrics, dict) else None
    return float(accuracy) if isinstance(accuracy, int | float) and 0 <= accuracy <= 1 else None


def _layout(state: TaskState) -> str | None:
    resident = state.serving.get(STABLE)
    return str(resident.layout) if resident else None


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
