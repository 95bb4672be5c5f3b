"""Statistics as Triton's extension has them."""

from service.http.protocol_v2.wire import Duration, ModelStatistics
from service.residents.statistics import VersionStatistics

NANOSECONDS = 1_000_000_000


def model_statistics(task: str, version: int, counted: VersionStatistics) -> ModelStatistics:
    """One version. A request is one execution: what runs together is of many tasks."""
    took_s = counted.decode_s + counted.queue_s + counted.inference_s
    return {
        "name": task,
        "version": str(version),
        "last_inference": int(1000 * counted.last_answer_s),
        "inference_count": counted.pictures,
        "execution_count": counted.requests,
        "inference_stats": {
            "success": _duration(counted.requests, took_s),
            "fail": _duration(counted.failed, counted.failed_s),
            "queue": _duration(counted.requests, counted.queue_s),
            "compute_input": _duration(counted.requests, counted.decode_s),
            "compute_infer": _duration(counted.requests, counted.inference_s),
            "compute_output": _duration(counted.requests, 0.0),
            "cache_hit": _duration(0, 0.0),
            "cache_miss": _duration(0, 0.0),
        },
        "batch_stats": [],
    }


def _duration(count: int, seconds: float) -> Duration:
    return {"count": count, "ns": round(NANOSECONDS * seconds)}
