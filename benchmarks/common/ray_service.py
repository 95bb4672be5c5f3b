"""The service of `model_service` as replicas of Ray Serve, whose engine answers at once.

    python -m benchmarks.common.ray_service --store DIR --port 8123 --replicas 2 --front proxy

`--front haproxy` has Ray put HAProxy before the replicas, which then listen themselves.
"""

import argparse
import logging
import os
import signal
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from service.peers.peers import Peers
from service.settings import Settings, settings_from

FRONTS = ("proxy", "tuned-proxy", "haproxy")
CPUS = 8
STORE_BYTES = 80_000_000


def main() -> int:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", required=True)
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--front", choices=FRONTS, default="proxy")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        os.environ.update(variables(options.front, folder))
        return _serve(options, folder)


def variables(front: str, folder: str) -> dict[str, str]:
    """What Ray reads when it is imported."""
    chosen = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",  # the others are not niced either
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "service.http.edge.ray_proxy:middlewares",
    }
    if front == "tuned-proxy":
        chosen |= {"RAY_SERVE_THROUGHPUT_OPTIMIZED": "1", "RAY_SERVE_ENABLE_DIRECT_INGRESS": "0"}
    if front == "haproxy":
        chosen |= {"RAY_SERVE_ENABLE_HA_PROXY": "1", "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": folder}
        for name, file in (
            ("CONFIG_FILE_LOC", "haproxy.cfg"),
            ("SOCKET_PATH", "admin.sock"),
            ("METRICS_SOCKET_PATH", "metrics.sock"),
            ("SERVER_STATE_FILE", "state"),
        ):
            chosen[f"RAY_SERVE_HAPROXY_{name}"] = f"{folder}/{file}"
    return chosen


def _serve(options: argparse.Namespace, folder: str) -> int:
    import ray  # noqa: PLC0415 - after its variables
    from ray import serve  # noqa: PLC0415

    from service.ray.replica import Replica  # noqa: PLC0415
    from service.ray_app import deployment  # noqa: PLC0415

    class ModelReplica(Replica):
        def create(self, settings: Settings, peers: Peers) -> Any:
            from adapters.store.store import Store  # noqa: PLC0415
            from benchmarks.common.model_service import ModelEngine  # noqa: PLC0415
            from service.app import create_service  # noqa: PLC0415

            logging.getLogger().setLevel(logging.WARNING)
            store = Store.open(settings.store)
            return create_service(settings, store, lambda *_: ModelEngine(0, 0), peers=peers)

    ray.init(
        "local", num_cpus=CPUS, num_gpus=0, object_store_memory=STORE_BYTES, include_dashboard=False,
        log_to_driver=False, logging_level="WARNING", _temp_dir=folder,
    )  # fmt: skip
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    flags = {"store": options.store, "max_batch": 64, "device": "cpu", "decode_threads": os.cpu_count()}
    serve.start(
        http_options={"host": "127.0.0.1", "port": options.port}, logging_config={"enable_access_log": False}
    )
    replicas = deployment(settings_from(dict(flags)), ModelReplica).options(num_replicas=options.replicas)
    serve.run(replicas.bind(flags), name="dvpt", route_prefix="/")
    ended.wait()
    serve.shutdown()
    ray.shutdown()
    _end_haproxy(folder)
    return 0


def _end_haproxy(folder: str) -> None:
    """It outlives Ray where that is ended before it has noticed, and holds its ports."""
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if f"-f\0{folder}".encode() in command.read_bytes():
                os.kill(int(command.parent.name), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
