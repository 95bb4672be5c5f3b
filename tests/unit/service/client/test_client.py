"""What a client sends, what it makes of each answer, and when it asks again."""

import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from adapters.store.versions import CLAIM_FILE
from service.client import (
    BadRequest,
    Client,
    ClientError,
    Conflict,
    Limits,
    NoAnswer,
    NotAllowed,
    NotFound,
    PictureRefused,
    ProblemError,
    TooLarge,
    TooSlow,
    Unauthenticated,
    Unavailable,
    Unreadable,
    Unusable,
)
from tests.support.scripted_http import Reply, Scripted, of_pictures, problem, scripted

Asking = tuple[Scripted, Client]
LABEL = Reply(200, {"label": "stable", "version": 3, "previous": [2, 1]}, {"etag": '"a"'})


@contextmanager
def asking(*replies: Reply, **options: Any) -> Iterator[Asking]:
    with scripted(*replies) as server, Client(server.url, **options) as client:
        yield server, client


def test_a_picture_is_asked_about_with_all_that_was_said(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG picture")
    with scripted(of_pictures(["cat"], {"x-request-id": "r1"})) as server:
        client = Client(f"{server.url}/vision/", key="dvpt_k")
        answer = client.classify(
            "a b/ü", tmp_path / "a.png", top_k=2, label="canary", timeout_ms=50, abstain=False
        )
        client.close()
    (request,) = server.requests
    target = "/vision/v1/tasks/a%20b%2F%C3%BC/classify?top_k=2&label=canary&timeout_ms=50&abstain=off"
    assert (request.method, request.target) == ("POST", target)
    assert request.headers["authorization"] == "Bearer dvpt_k"
    assert request.body.count(b"\x89PNG picture") == 1
    assert (answer.best.label, answer.version, answer.request_id, answer.index) == ("cat", 3, "r1", 0)
    assert (answer.accepted, answer.reason, answer.label) == (None, None, None)


def test_many_pictures_travel_within_the_limits_and_keep_their_order() -> None:
    replies = [of_pictures(["a", "b"]), of_pictures(["c"]), of_pictures(["d"])]
    pictures = [b"1" * 10, b"2" * 10, b"3" * 60, b"4" * 50]
    with asking(*replies, limits=Limits(2, 100, 60)) as (server, client):
        answers = client.classify("pets", pictures)
    assert [answer.best.label for answer in answers] == ["a", "b", "c", "d"]
    assert [request.body.count(b"form-data") for request in server.requests] == [2, 1, 1]


def test_a_refused_picture_has_its_index_among_all() -> None:
    replies = [of_pictures(["a", "b"]), problem(422, "picture_damaged", index=1)]
    with asking(*replies, limits=Limits(pictures=2)) as (_, client), pytest.raises(PictureRefused) as caught:
        client.classify("pets", [b"1", b"2", b"3", b"4"])
    assert (caught.value.index, caught.value.code, caught.value.status) == (3, "picture_damaged", 422)


def test_what_is_no_picture_here_is_not_sent(tmp_path: Path) -> None:
    (tmp_path / "large.png").write_bytes(b"0" * 101)
    with asking(of_pictures(["a"]), limits=Limits(picture_bytes=100)) as (server, client):
        for path in (tmp_path / "none.png", tmp_path):
            with pytest.raises(Unreadable):
                client.classify("pets", path)
        with pytest.raises(PictureRefused):
            client.classify("pets", tmp_path / "large.png")
        with pytest.raises(TypeError):
            client.classify("pets", "cat.png")  # type: ignore[arg-type]
        assert client.classify("pets", []) == []
    assert server.requests == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, BadRequest), (401, Unauthenticated), (403, NotAllowed), (404, NotFound), (408, TooSlow),
     (409, Conflict), (412, Conflict), (413, TooLarge), (415, BadRequest), (422, Unusable),
     (500, ProblemError), (504, TooSlow)],
)  # fmt: skip
def test_every_problem_is_an_error_of_its_kind_and_not_asked_again(
    status: int, kind: type[ProblemError]
) -> None:
    reply = problem(status, "some_code", {"x-request-id": "r"})
    with asking(reply) as (server, client), pytest.raises(ProblemError) as caught:
        client.task("pets")
    assert type(caught.value) is kind
    error = caught.value
    assert (error.code, error.status, error.request_id) == ("some_code", status, "r")
    assert error.detail == "some_code it is"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "first",
    [problem(429, "overloaded"), problem(503, "starting"), Reply(502, "<html>bad gateway"), Reply(0)],
    ids=["429", "503", "502", "closed"],
)
def test_a_classify_request_is_sent_again_as_it_was(first: Reply) -> None:
    with asking(first, first, of_pictures(["cat"])) as (server, client):
        assert client.classify("pets", b"picture").best.label == "cat"
    assert len({(request.target, request.body) for request in server.requests}) == 1
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("first", "kind"), [(problem(503, "store_unavailable"), Unavailable), (Reply(0), NoAnswer)]
)
def test_what_twice_is_not_once_is_not_sent_again(first: Reply, kind: type[ClientError]) -> None:
    with asking(first, LABEL) as (server, client), pytest.raises(kind):
        client.roll_back("pets")
    assert len(server.requests) == 1


def test_a_refused_attempt_is_sent_again_whatever_it_was() -> None:
    with asking(problem(429, "key_over_limit", {"retry-after": "0"}), LABEL) as (server, client):
        assert client.roll_back("pets").version == 3
    assert [request.target for request in server.requests] == ["/v1/tasks/pets/labels/stable/rollback"] * 2


def test_nothing_begins_after_the_deadline() -> None:
    reply = problem(503, "draining", {"retry-after": "3600"})
    with asking(reply, deadline_s=30) as (server, client), pytest.raises(Unavailable) as caught:
        client.label("pets", "stable")
    assert caught.value.retry_after_s == 3600
    assert len(server.requests) == 1


def test_a_failed_forward_pass_is_tried_three_times() -> None:
    reply = problem(503, "inference_failed", {"retry-after": "0"})
    with asking(reply) as (server, client), pytest.raises(Unavailable):
        client.classify("pets", b"picture")
    assert len(server.requests) == 3


def test_where_nothing_listens_there_is_no_answer() -> None:
    with scripted(LABEL) as server:
        pass
    with Client(server.url, deadline_s=0.5) as client, pytest.raises(NoAnswer) as caught:
        client.task("pets")
    assert not caught.value.sent
    assert server.url in caught.value.detail


@pytest.mark.parametrize("body", ["<html>", "[]", '{"task": "pets"}', "3"])
def test_another_server_is_told_from_the_service(body: str) -> None:
    with asking(Reply(200, body)) as (_, client), pytest.raises(ClientError, match=r"no dvpt-serve"):
        client.classify("pets", b"picture")


def test_all_pages_of_tasks_are_read() -> None:
    row = {"versions": [1], "labels": {"stable": 1}, "serving": {"stable": 1}, "refused": [], "problems": []}
    pages = [
        Reply(200, {"tasks": [{"task": "a", **row}, {"task": "b", **row}], "next": "b"}),
        Reply(200, {"tasks": [{"task": "c", **row}]}),
    ]
    with asking(*pages) as (server, client):
        assert [task.task for task in client.tasks(prefix="x&y")] == ["a", "b", "c"]
    asked = [request.target for request in server.requests]
    assert asked == [
        "/v1/tasks?limit=1000&prefix=x%26y",
        "/v1/tasks?limit=1000&after=b&prefix=x%26y",
    ]


def test_labels_are_moved_where_they_are_as_expected() -> None:
    with asking(LABEL, LABEL, problem(412, "label_moved")) as (server, client):
        seen = client.label("pets", "stable")
        assert (seen.version, seen.previous, seen.etag) == (3, (2, 1), '"a"')
        client.move_label("pets", "stable", 4, if_match=seen.etag)
        with pytest.raises(Conflict):
            client.move_label("pets", "stable", 4, replace_classes=True)
    _, moved, again = server.requests
    assert (moved.method, moved.target) == ("PUT", "/v1/tasks/pets/labels/stable")
    assert moved.headers["if-match"] == '"a"'
    assert json.loads(moved.body) == {"version": 4, "replace_classes": False}
    assert json.loads(again.body) == {"version": 4, "replace_classes": True}


def test_an_artifact_is_published_as_a_tar(tmp_path: Path) -> None:
    for name in ("adapter_config.json", "adapter_model.safetensors", CLAIM_FILE, ".DS_Store"):
        (tmp_path / name).write_text(name)
    reply = {"task": "pets", "version": 4, "digest": "d", "label": None, "existed": False}
    with asking(Reply(201, reply)) as (server, client):
        published = client.publish("pets", tmp_path, label=None)
    (request,) = server.requests
    assert (published.version, published.label, published.existed) == (4, None, False)
    assert request.target == "/v1/tasks/pets/versions?label=none&replace_classes=false"
    assert request.headers["content-type"] == "application/x-tar"
    with tarfile.open(fileobj=BytesIO(request.body)) as tar:
        assert tar.getnames() == ["adapter_config.json", "adapter_model.safetensors"]


def test_feedback_names_the_picture_of_the_answer() -> None:
    busy = problem(503, "unavailable", {"retry-after": "0"})
    taken = Reply(202, {"version": 3, "correct": False})
    with asking(of_pictures(["a", "b"], {"x-request-id": "r7"}), busy, taken) as (server, client):
        _, second = client.classify("pets", [b"1", b"2"])
        judged = client.feedback(second, "cat")
    assert (judged.version, judged.correct) == (3, False)
    assert server.requests[1].target == "/v1/tasks/pets/feedback"
    assert json.loads(server.requests[1].body) == {"request_id": "r7", "index": 1, "label": "cat"}
    assert server.requests[2].body == server.requests[1].body
