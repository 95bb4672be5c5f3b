import json

import pytest

from adapters.errors import DvptError, PictureDamaged, PictureFormat, TaskNotFound
from service.errors import Overloaded, PictureRefused, Starting, UnreadMediaType
from service.http.problem_json import MAX_LISTED_TASKS, http_problem, problem_response
from service.http.problems import INTERNAL, PROBLEMS, problem_of


def test_a_problem_has_every_member() -> None:
    response = problem_response(TaskNotFound("there is no task 'x'"), ["digits"], request_id="x")

    assert response.status_code == 404
    assert response.media_type == "application/problem+json"
    assert json.loads(bytes(response.body)) == {
        "type": "urn:dvpt:problem:task_not_found",
        "title": "There is no such task",
        "status": 404,
        "code": "task_not_found",
        "detail": "there is no task 'x'",
        "request_id": "x",
        "tasks": ["digits"],
        "task_count": 1,
    }


def test_a_long_list_of_tasks_is_cut() -> None:
    tasks = [f"task{index}" for index in range(1000)]

    body = json.loads(bytes(problem_response(TaskNotFound("no"), tasks, request_id="x").body))

    assert body["tasks"] == tasks[:MAX_LISTED_TASKS]
    assert body["task_count"] == 1000


def test_a_refused_picture_counts_as_its_cause_and_has_an_index() -> None:
    error = PictureRefused(3, PictureFormat("HEIC is not read"))

    response = problem_response(error, request_id="x")
    body = json.loads(bytes(response.body))

    assert problem_of(error) is PROBLEMS[PictureFormat]
    assert (response.status_code, body["index"]) == (415, 3)
    assert body["detail"] == "picture 3: HEIC is not read"


@pytest.mark.parametrize(
    ("error", "seconds"),
    [(Overloaded("full", 2.1), "3"), (Overloaded("full", 0.0), "1"), (Starting("loading"), "5")],
)
def test_retry_after_is_told_where_trying_again_makes_sense(error: DvptError, seconds: str) -> None:
    assert problem_response(error, request_id="x").headers["retry-after"] == seconds


def test_a_coding_that_is_not_read_is_told_which_are() -> None:
    coded = problem_response(UnreadMediaType("br", "gzip, deflate"), request_id="x")
    assert coded.headers["accept-encoding"] == "gzip, deflate"
    assert "accept-encoding" not in problem_response(UnreadMediaType("text/html"), request_id="x").headers


def test_other_problems_promise_nothing() -> None:
    assert "retry-after" not in problem_response(PictureDamaged("no"), request_id="x").headers


def test_an_unforeseen_error_says_nothing_of_its_cause() -> None:
    response = problem_response(ValueError("secret path /etc"), request_id="x")

    assert problem_of(ValueError()) is INTERNAL
    assert response.status_code == 500
    assert b"secret" not in bytes(response.body)


def test_the_framework_s_errors_get_codes_from_their_phrases() -> None:
    body = json.loads(bytes(http_problem(405, "DELETE /v1/tasks", {"allow": "GET"}, request_id="x").body))

    assert body["code"] == "method_not_allowed"
