import pytest
from starlette.requests import Request

from service.errors import NotAllowed
from service.http.key_guard import KEY
from service.http.origin import require_own_origin


def request(origin: str | None, *, key: object = None) -> Request:
    headers = [(b"host", b"127.0.0.1:8000"), *([(b"origin", origin.encode())] if origin is not None else [])]
    return Request({"type": "http", "headers": headers, **({KEY: key} if key else {})})


@pytest.mark.parametrize("origin", [None, "http://127.0.0.1:8000", "https://127.0.0.1:8000"])
def test_programs_and_the_service_s_own_pages_may(origin: str | None) -> None:
    require_own_origin(request(origin))


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:9000", "null", "", "file://"])
def test_another_page_may_with_a_key_alone(origin: str) -> None:
    with pytest.raises(NotAllowed, match="of another origin"):
        require_own_origin(request(origin))
    require_own_origin(request(origin, key="record"))
