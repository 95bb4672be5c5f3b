import pytest

from service.http.request_id import new_request_id, request_id_of

GIVEN = ["a", "7f3a-11_22.b", "Root=1-67891233-abcdef012345678912345678", "a" * 128, "aGk+/w=="]
REFUSED = ["", " a", "a b", "a\nb", "a" * 129, "é", 'a"', "a;b", "<a>", "a\x00"]


@pytest.mark.parametrize("text", GIVEN)
def test_a_sane_id_of_the_client_is_kept(text: str) -> None:
    assert request_id_of([(b"host", b"x"), (b"x-request-id", text.encode())]) == text


@pytest.mark.parametrize("text", REFUSED)
def test_any_other_is_replaced(text: str) -> None:
    assert len(request_id_of([(b"x-request-id", text.encode())])) == 32


def test_ids_differ() -> None:
    assert len({request_id_of([]) for _ in range(100)} | {new_request_id()}) == 101
