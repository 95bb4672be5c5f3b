from service.metrics import OTHER_TASKS, UNKNOWN_TASK, BatchMetrics, Metrics


def names(metrics: Metrics) -> set[str]:
    return {metric.name for metric in metrics.registry.collect()}


def test_two_services_in_a_process_stay_apart() -> None:
    first, second = Metrics(), Metrics()
    first.requests.labels("digits", "ok").inc()

    assert second.registry.get_sample_value("dvpt_requests_total", {"task": "digits", "code": "ok"}) is None


def test_every_name_has_the_prefix_and_the_usual_ones_of_a_process_are_there() -> None:
    own = {name for name in names(Metrics()) if not name.startswith(("process_", "python_gc_"))}

    assert all(name.startswith("dvpt_") for name in own)
    assert {
        "process_resident_memory_bytes",
        "process_cpu_seconds",
        "process_open_fds",
        "process_max_fds",
        "process_start_time_seconds",
        "python_gc_collections",
    } <= names(Metrics())


def test_unknown_tasks_share_one_value() -> None:
    metrics = Metrics()

    assert metrics.task_label("digits", {"digits"}) == "digits"
    assert metrics.task_label("made up", {"digits"}) == UNKNOWN_TASK


def test_tasks_beyond_the_bound_share_one_value_until_there_is_room() -> None:
    metrics, known = Metrics(most_tasks=2), {"a", "b", "c"}

    assert [metrics.task_label(task, known) for task in "abcab"] == ["a", "b", OTHER_TASKS, "a", "b"]

    metrics.forget_task("a")
    assert metrics.task_label("c", known) == "c"


def test_a_task_that_is_gone_leaves_no_series() -> None:
    metrics = Metrics()
    for task in ("digits", "pets"):
        metrics.requests.labels(task, "ok").inc()
        metrics.requests.labels(task, "overloaded").inc()
        metrics.pictures.labels(task).inc()
        metrics.request_seconds.labels(task).observe(0.1)
        metrics.top_probability.labels(task).observe(0.5)
        metrics.judged_pictures.labels(task, "accepted").inc()
        metrics.class_divergence.labels(task).set(0.1)
        metrics.feedback_answers.labels(task, 1).set(1)
        metrics.feedback_correct.labels(task, 1).set(1)

    metrics.forget_task("digits")

    tasks = {
        sample.labels["task"]
        for metric in metrics.registry.collect()
        for sample in metric.samples
        if "task" in sample.labels
    }
    assert tasks == {"pets"}


def test_batches_are_counted_with_their_tasks() -> None:
    metrics = Metrics()
    observer = BatchMetrics(metrics)
    observer.batch_ran(pictures=12, tasks=3, seconds=0.1)
    observer.batch_failed("DeviceLost")
    observer.pictures_left(2)

    value = metrics.registry.get_sample_value
    assert value("dvpt_batch_pictures_sum") == 12
    assert value("dvpt_batch_tasks_sum") == 3
    assert value("dvpt_batch_faults_total", {"kind": "DeviceLost"}) == 1
    assert value("dvpt_pictures_left_queue_total") == 2
