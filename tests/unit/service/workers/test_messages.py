import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.settings import Settings
from service.workers.messages import Assignment, Group, Line, Report, encode, read_assignment

GROUP = Group(ready=1, all=2, complete=False, processes={0: 11, 1: 12})


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_a_worker_reads_its_assignment_and_no_further(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    settings = Settings(store="file:///tmp/store", workers=3, weights=Path("w.safetensors"))
    assignment = Assignment(
        worker=2, listener=7, folder=Path("f"), replaces=True, settings=settings.model_dump(mode="json")
    )
    Line(ours).send(assignment)
    Line(ours).send(GROUP)

    assert read_assignment(theirs) == assignment
    assert assignment.whole_settings() == settings
    assert Group.model_validate_json(theirs.recv(1000)) == GROUP


def test_no_supervisor_is_no_assignment(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    ours.close()

    assert read_assignment(theirs) is None


def test_reports_come_whole_however_they_were_cut(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    line, text = Line(ours), encode(Report(ready=True)) + encode(Report(fault="a\nb", code=2))
    heard = []
    for cut in range(0, len(text), 7):
        theirs.sendall(text[cut : cut + 7])
        heard += line.receive() or []

    assert heard == [Report(ready=True), Report(fault="a\nb", code=2)]
    assert line.receive() == []
    theirs.close()
    assert line.receive() is None


def test_nobody_waits_for_a_worker_that_reads_nothing(ends: tuple[socket.socket, socket.socket]) -> None:
    line = Line(ends[0])
    for _ in range(20_000):
        line.send(GROUP)
