import pytest

from service.client.address import URL, Address


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DVPT_URL", "DVPT_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_what_is_given_counts_before_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Address.of(None, None) == Address(URL, None)
    monkeypatch.setenv("DVPT_URL", "https://dvpt.example/vision\n")
    monkeypatch.setenv("DVPT_KEY", "dvpt_a\n")
    assert Address.of(None, None) == Address("https://dvpt.example/vision", "dvpt_a")
    assert Address.of("http://here:1", "dvpt_b") == Address("http://here:1", "dvpt_b")


@pytest.mark.parametrize(
    "text", ["localhost:8000", "127.0.0.1", "ftp://x", "http://", "http://x:port", "http://[::1"]
)
def test_what_is_no_url_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no URL"):
        Address.of(text, None)


def test_a_key_is_in_a_header_and_no_url() -> None:
    options = Address.of("http://here", "dvpt_secret").options(1)
    assert options["headers"]["authorization"] == "Bearer dvpt_secret"
    assert "secret" not in str(options["base_url"])
