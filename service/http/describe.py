"""What `GET /v1/tasks` tells of the registry."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from adapters.config import STABLE
from adapters.kinds.adapter_config import AdapterConfig
from adapters.store.label_rules import LabelTraffic
from adapters.store.task_record import TaskRecord
from service.answers.feedback_counts import FeedbackCount
from service.http.wire import (
    Replicas,
    TaskDetail,
    TaskSummary,
    TrafficDetail,
    VersionDetail,
)
from service.peers.peers import Readiness
from service.peers.question import Serving
from service.residents.statistics import Statistics, VersionStatistics
from service.residents.task_state import TaskState
from service.residents.version_state import VersionState
from service.traffic.tally import Tally
from service.traffic.traffic import Traffic


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


def detail(
    state: TaskState,
    stable: AdapterConfig | None,
    replicas: Readiness,
    *,
    versions: Sequence[VersionState],
    statistics: Statistics,
    traffic: dict[str, TrafficDetail],
    feedback: Mapping[int, FeedbackCount],
) -> TaskDetail:
    """One task with everything a client may want to know before it sends pictures.

    `stable` is the configuration of what answers for that label, None where it cannot be had; `feedback` is
    how often each version was right.
    """
    record = state.record
    digests = {label: resident.config.tensors_sha256 for label, resident in state.serving.items()}
    if stable is not None:
        digests[STABLE] = stable.tensors_sha256
    return {
        "task": record.name,
        "labels": dict(record.labels),
        "versions": [_version(each, statistics.of(record.name, each.version)) for each in versions],
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
        "traffic": traffic,
        "method": stable.method if stable else None,
        "accuracy": _accuracy(stable) if stable else None,
        "layout": _layout(state),
        "classes": list(stable.classes) if stable else [],
        "replicas": _replicas(replicas),
        "feedback": {
            str(version): {"answers": tally.answers, "correct": tally.correct}
            for version, tally in feedback.items()
        },
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


def _version(version: VersionState, counted: VersionStatistics) -> VersionDetail:
    resident, refusal = version.resident, version.refusal
    return {
        "version": version.version,
        "state": version.state,
        "place": version.place,
        "last_used": _iso(version.last_used),
        "load_ms": round(1000 * resident.load_s, 3) if resident else None,
        "requests": counted.since_read if resident else 0,
        "error": refusal.error if refusal else None,
        "next_try": _iso(version.next_try),
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") if moment else None


def traffic_detail(record: TaskRecord, traffic: Traffic) -> dict[str, TrafficDetail]:
    """What is ruled for each label of a task, and what was counted of it."""
    return {
        label: _label_traffic(rules.traffic, traffic.tally(record, label))
        for label, rules in sorted(record.rules.items())
        if rules.traffic is not None
    }


def _label_traffic(rules: LabelTraffic, tally: Tally | None) -> TrafficDetail:
    pictures, agreed = (tally.pictures, tally.agreed) if tally else (0, 0)
    return {
        "rules": rules,
        "agreement": {"share": round(agreed / pictures, 6) if pictures else None, "pictures": pictures},
        "canary": {"requests": tally.requests if tally else 0, "errors": tally.errors if tally else 0},
    }
