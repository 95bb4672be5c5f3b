"""Below `/v2` an error has what those clients read, with the status and headers of the problem."""

import json

import pytest

from service.errors import Overloaded
from service.http.problem_json import ProblemResponse, problem_response
from service.http.protocol_v2.errors import as_clients_read_it


def overloaded() -> ProblemResponse:
    return problem_response(Overloaded("too many pictures wait", 2.5), request_id="7")


@pytest.mark.parametrize(
    "scope",
    [{"path": "/v2"}, {"path": "/v2/models/pets/infer"}, {"path": "/vision/v2/x", "root_path": "/vision"}],
)
def test_the_detail_is_the_error(scope: dict[str, str]) -> None:
    problem, answer = overloaded(), as_clients_read_it(scope, overloaded())

    told = json.loads(bytes(answer.body))
    assert told == {"error": "too many pictures wait", **json.loads(bytes(problem.body))}
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.body)


@pytest.mark.parametrize("path", ["/v1/tasks", "/v22", "/", "/vision/v2", "/v1/tasks/v2/classify"])
def test_elsewhere_it_is_a_problem(path: str) -> None:
    problem = overloaded()
    assert as_clients_read_it({"path": path}, problem) is problem
