from service.http.request.request_key import request_key


def test_the_first_key_of_a_request_counts() -> None:
    headers = [(b"host", b"x"), (b"x-request-key", b"user-1"), (b"x-request-key", b"user-2")]
    assert request_key({"headers": headers}) == b"user-1"
    assert request_key({"headers": headers[:1]}) is None
