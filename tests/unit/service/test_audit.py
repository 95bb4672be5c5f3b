import json
import logging
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import ConfigError
from service.audit import Audit

pytestmark = pytest.mark.anyio


@pytest.fixture
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str, Any]]:
    return [(record.levelno, record.message, record.__dict__["fields"]) for record in caplog.records]


async def test_a_change_is_in_the_file_alone(
    tmp_path: Path, threads: Executor, caplog: pytest.LogCaptureFixture
) -> None:
    await Audit(tmp_path / "a", threads).write("1a2b", "set_label", "pets", "done", version=3)
    line = json.loads((tmp_path / "a").read_text())
    assert (line["who"], line["action"], line["task"], line["result"], line["version"]) == (
        "1a2b", "set_label", "pets", "done", 3,
    )  # fmt: skip
    assert caplog.records == []


async def test_without_a_file_it_is_in_the_log(threads: Executor, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await Audit(None, threads).write("insecure", "refresh", None, "done", x=1)
    told = {"who": "insecure", "task": "*", "result": "done", "x": 1}
    assert logged(caplog) == [(logging.INFO, "refresh", told)]


async def test_a_line_that_cannot_be_written_is_an_error_in_the_log(
    threads: Executor, caplog: pytest.LogCaptureFixture
) -> None:
    await Audit(Path("/dev/full"), threads).write("1a2b", "set_label", "pets", "done")
    ((level, action, fields),) = logged(caplog)
    assert (level, action, fields["who"]) == (logging.ERROR, "set_label", "1a2b")
    assert "No space left" in fields["audit"]


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path, threads: Executor) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        Audit(tmp_path / "none" / "a", threads)
