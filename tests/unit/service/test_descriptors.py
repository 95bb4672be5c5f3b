import resource
import subprocess
import sys

import pytest

LIMIT = """
import resource, sys
from service.descriptors import connection_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
print(connection_limit(int(sys.argv[3])), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "limit"),
    [
        (256, 256, 0, 128),
        (100, 100, 0, 25),
        (64, 512, 0, 384),
        (512, 512, 50, 50),
        (512, 512, 5000, 384),
        (256, 6000, 0, 4096),
        (256, 6000, 5000, 5000),
    ],
)
def test_connections_leave_descriptors_for_files(soft: int, hard: int, wanted: int, limit: int) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most not in (resource.RLIM_INFINITY,) and most < hard:
        pytest.skip("this machine gives fewer descriptors")
    command = [sys.executable, "-c", LIMIT, str(soft), str(hard), str(wanted)]
    ended = subprocess.run(command, check=True, timeout=240, capture_output=True, text=True)

    assert ended.stdout.split() == [str(limit), str(hard)]
