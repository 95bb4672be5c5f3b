"""A Ray Serve deployment with `dvpt-serve`'s flags: python -m tests.support.ray_serve --store=… --port=0

`--workers` is the number of replicas. Once all are ready, it says so on stderr as `dvpt-serve` does; the
replicas' log is there, too.
SIGTERM ends it, and Ray with it.
"""

import os
import signal
import sys
import tempfile
import threading
from typing import Any

VARIABLES = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "service.http.edge.ray_proxy:middlewares",
    "RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "0.5",
    "RAY_SERVE_HANDLE_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "0.5",
    "RAY_SERVE_PROXY_MIN_DRAINING_PERIOD_S": "1",
}
os.environ.update({name: value for name, value in VARIABLES.items() if name not in os.environ})

import ray  # noqa: E402 - it reads the variables when it is imported
from ray import serve  # noqa: E402

from service.command import build_parser  # noqa: E402
from service.ray_app import build  # noqa: E402
from tests.support.processes import free_port  # noqa: E402

CPUS = 4
STORE_BYTES = 80_000_000


def main() -> int:
    """Serve until a signal."""
    ended = threading.Event()
    parser = build_parser()
    parser.add_argument("--most-replicas", type=int, default=0, help="scale up to these by waiting pictures")
    flags: dict[str, Any] = vars(parser.parse_args())
    replicas, most, port = int(flags.pop("workers", 1)), flags.pop("most_replicas"), int(flags.pop("port", 0))
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        ray.init(
            "local",
            num_cpus=CPUS,
            num_gpus=0,
            object_store_memory=STORE_BYTES,
            include_dashboard=False,
            logging_level="WARNING",
            _temp_dir=folder,
        )
        for number in (signal.SIGTERM, signal.SIGINT):  # Ray has set its own
            signal.signal(number, lambda *_: ended.set())
        address = {"host": flags.pop("host", "127.0.0.1"), "port": port or free_port()}
        serve.start(http_options=address)
        serve.run(_scaled(build(flags), replicas, most), name="dvpt", route_prefix="/")
        sys.stderr.write(f" service.server listening host={address['host']} port={address['port']}\n")
        sys.stderr.write(f" service.lifecycle ready \n INFO service.workers ready workers={replicas}\n")
        sys.stderr.flush()
        ended.wait()
        serve.delete("dvpt")  # its requests are answered first, which a shutdown would cut
        serve.shutdown()
        ray.shutdown()
    return 0


def _scaled(application: serve.Application, replicas: int, most: int) -> serve.Application:
    deployment = application._bound_deployment
    if not most:
        options: dict[str, Any] = {"num_replicas": replicas}
    else:
        policy = {
            "policy_function": "service.ray.autoscaling:QueuedPictures",
            "policy_kwargs": {"target_pictures": 16},
        }
        options = {
            "autoscaling_config": {
                "min_replicas": replicas,
                "max_replicas": most,
                "look_back_period_s": 2,
                "upscale_delay_s": 0.5,
                "downscale_delay_s": 2,
                "policy": policy,
            }
        }
    arguments = deployment.init_args
    return deployment.options(**options).bind(*arguments)


if __name__ == "__main__":
    sys.exit(main())
