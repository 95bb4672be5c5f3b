import logging

import pytest

from service.logs import LineFormatter, log_event


def line(event: str, **fields: object) -> str:
    lines: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(LineFormatter().format(record))

    logger = logging.Logger("service.test")
    logger.addHandler(Collect())
    log_event(logger, logging.WARNING, event, **fields)
    return lines[0]


def test_an_event_is_one_line_of_fields() -> None:
    text = line("adapter_loaded", task="digits", version=3, load_ms=12.34567)

    assert text.endswith("Z WARNING service.test adapter_loaded task=digits version=3 load_ms=12.3457")


@pytest.mark.parametrize("text", ["two words", "a\nb", 'quote"', "=x", "", "a\x1b[31m"])
def test_nothing_in_a_field_can_look_like_another_line_or_field(text: str) -> None:
    written = line("event", error=text)

    assert "\n" not in written
    assert "\x1b" not in written
    assert written.partition("error=")[2].startswith('"')


def test_other_programs_messages_are_quoted() -> None:
    record = logging.LogRecord("uvicorn", logging.INFO, "", 0, "line one\nline %d", (2,), None)

    assert LineFormatter().format(record).endswith(r'INFO uvicorn "line one\nline 2"')


def test_a_traceback_stays_on_the_line() -> None:
    try:
        raise ValueError("boom")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, "", 0, "failed", (), info)
    text = LineFormatter().format(record)

    assert "\n" not in text
    assert "ValueError: boom" in text


def test_each_line_of_one_of_several_processes_has_its_number() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "said", (), None)

    assert LineFormatter(worker=0).format(record).endswith('INFO x "said" worker=0')
