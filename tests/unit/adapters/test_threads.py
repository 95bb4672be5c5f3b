import pytest

from adapters.threads import wait_briefly


def test_threads_wait_without_spinning() -> None:
    environ = {"OTHER": "1"}
    wait_briefly(environ)
    assert environ == {"OTHER": "1", "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "2000"}


@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"])
def test_the_users_own_variables_win(name: str) -> None:
    environ = {name: "x"}
    wait_briefly(environ)
    assert environ == {name: "x"}
