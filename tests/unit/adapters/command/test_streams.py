"""Standard streams, in processes that are started with them closed, full or in a strict locale."""

import subprocess
import sys

import pytest

from adapters.command.streams import as_utf8, complain, from_utf8, reason

PRINT = """
import sys
from adapters.command.streams import closed, open_streams
open_streams()
print(sys.argv[1])
sys.stderr.write(sys.argv[1])
opened = open("/dev/null")
sys.exit(closed(0) if opened.fileno() > 2 else 9)
"""
STRICT = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}


def run(redirected: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    command = ["/bin/sh", "-c", f'exec "$0" "$@" {redirected}', sys.executable, "-c", PRINT, "猫 кот"]
    paths = {"PYTHONPATH": ":".join(filter(None, sys.path)), "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(command, env=paths | variables, capture_output=True, check=False, timeout=60)


@pytest.mark.parametrize("redirected", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_costs_nothing(redirected: str) -> None:
    ended = run(redirected)

    assert ended.returncode == 0
    assert b"Traceback" not in ended.stderr


def test_output_that_cannot_be_written_is_exit_code_1_without_noise() -> None:
    ended = run(">/dev/full")

    assert ended.returncode == 1
    assert ended.stderr.decode() == "猫 кот"


def test_a_strict_locale_shows_escapes() -> None:
    ended = run("", **STRICT)

    assert ended.returncode == 0
    assert ended.stdout.startswith(rb"\u")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (FileNotFoundError(2, "No such file or directory", "/none"), "/none: No such file or directory"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("odd"), "odd"),
        (KeyError(), "KeyError"),
        ("two\nlines", "two\nlines"),
    ],
)
def test_an_error_says_what_is_wrong(error: Exception | str, text: str) -> None:
    assert reason(error) == text


def test_a_complaint_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert complain("prog", "a\nb\x1b[31m", 2) == 2
    assert capsys.readouterr().err == "prog: a\ufffdb\ufffd[31m\n"


@pytest.mark.parametrize("text", ["plain", "größe", "\u732b"])
def test_text_of_a_strict_locale_is_text_again(text: str) -> None:
    assert as_utf8(text) == text
    seen = text.encode().decode("ascii", "surrogateescape")  # as Python has it where the locale is C
    assert as_utf8(seen) == text
    assert from_utf8(text) == text


def test_bytes_that_are_no_text_are_escapes() -> None:
    assert as_utf8(b"caf\xe9".decode("utf-8", "surrogateescape")) == "caf\\xe9"
