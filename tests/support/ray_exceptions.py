"""Which integration tests say nothing about a Ray Serve deployment, and why."""

import pytest

CONNECTIONS = "Ray's proxy holds the connections, with limits and deadlines of its own"
PROCESS = "about the process: its log, its signals, its exit"
START = "Ray tries a replica that refuses to start three times, and ends the deployment by itself"
EXCEPTIONS = {
    "test_service_connections.py": CONNECTIONS,
    "test_service_process.py": PROCESS,
    "test_service_shutdown.py": PROCESS,
    "test_workers.py": "about dvpt-serve --workers",
    "test_bytes_that_are_no_http_get_a_problem": "the proxy answers as text what it cannot read",
    "test_paths_and_methods[BREW": "the proxy's HTTP server knows no other methods",
    "test_a_client_that_leaves_is_not_answered": "what no replica has yet ends in the proxy, uncounted",
    "test_metrics_are_prometheus_s": "each sample has the label replica",
    "test_what_onnx_runtime_cannot_do_is_refused_at_once": START,
    "test_a_service_that_others_reach_does_not_start_without_keys": START,
    "test_a_trail_that_cannot_be_written_refuses_the_start": START,
    "test_a_start_without_public_keys_is_refused": START,
    "test_a_drain_that_takes_too_long": "Ray gives a drain 5 s more, and ends it with the replica",
}


def why_not_with_ray(test: pytest.Item) -> str | None:
    """The reason to leave a test out, or None. One that starts its server otherwise would not meet Ray."""
    if "command" not in getattr(test, "fixturenames", ()):
        return "starts no server, or always dvpt-serve"
    return next((reason for part, reason in EXCEPTIONS.items() if part in test.nodeid), None)
