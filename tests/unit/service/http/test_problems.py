import pytest

from adapters.errors import DvptError, PictureFormat
from service.errors import PictureRefused
from service.http.problems import PROBLEMS, problem_of


def subclasses(kind: type[DvptError]) -> set[type[DvptError]]:
    """All that a request can meet: training's own are there only if another test imported them."""
    own = [each for each in kind.__subclasses__() if not each.__module__.startswith("training.")]
    return {kind}.union(*(subclasses(each) for each in own))


@pytest.mark.parametrize("kind", sorted(subclasses(DvptError) - {DvptError, PictureRefused}, key=str))
def test_every_domain_error_has_a_line_of_its_own(kind: type[DvptError]) -> None:
    assert kind in PROBLEMS


def test_codes_are_distinct_and_statuses_are_those_that_clients_know() -> None:
    codes = [problem.code for problem in PROBLEMS.values()]

    assert len(set(codes)) == len(codes)
    statuses = {problem.status for problem in PROBLEMS.values()}
    assert statuses <= {
        400,
        401,
        403,
        404,
        405,
        408,
        409,
        412,
        413,
        414,
        415,
        422,
        429,
        431,
        499,
        501,
        503,
        504,
        505,
    }


def test_a_subclass_without_a_line_takes_its_parent_s() -> None:
    class FormatOfTomorrow(PictureFormat):
        pass

    assert problem_of(FormatOfTomorrow("x")).code == "picture_format"
