import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from adapters.pictures import decode
from service.settings import Settings, settings_from


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"DVPT_{name.upper()}", raising=False)


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "serve.toml"
    path.write_text('store = "/from/file"\nport = 1111\nmax_batch = 11\n')
    return path


def test_defaults_bind_to_loopback() -> None:
    settings = settings_from({"store": "s"})

    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.decode_threads >= 1


def test_flags_win_over_variables_and_variables_over_the_file(
    config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVPT_PORT", "2222")
    monkeypatch.setenv("DVPT_MAX_BATCH", "22")

    settings = settings_from({"max_batch": "33"}, config_file)

    assert settings.store == Path("/from/file")
    assert settings.port == 2222
    assert settings.max_batch == 33


def test_an_unknown_key_in_the_file_is_refused(config_file: Path) -> None:
    config_file.write_text(config_file.read_text() + "prot = 1\n")

    with pytest.raises(ValidationError, match="prot"):
        settings_from({}, config_file)


def test_an_unknown_flag_is_refused() -> None:
    with pytest.raises(ValidationError, match="prot"):
        settings_from({"store": "s", "prot": "1"})


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        settings_from({"store": "s"}, tmp_path / "none.toml")


def test_patterns_are_text_with_commas_or_a_list(config_file: Path) -> None:
    assert settings_from({"store": "s"}).preload == ()
    settings = settings_from({"store": "s", "preload": "pets*, digits", "pin": "*"})
    assert (settings.preload, settings.pin) == (("pets*", "digits"), ("*",))
    config_file.write_text('store = "s"\npreload = ["pets*", "digits"]\n')
    assert settings_from({}, config_file).preload == ("pets*", "digits")


@pytest.mark.parametrize("value", ["", ",", "a,,b"])
def test_an_empty_pattern_is_refused(value: str) -> None:
    with pytest.raises(ValidationError, match="empty"):
        settings_from({"store": "s", "preload": value})


def test_settings_are_frozen() -> None:
    settings = settings_from({"store": "s"})

    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "65536"),
        ("port", "-1"),
        ("max_batch", "-1"),
        ("device", "gpu"),
        ("device", "cuda:x"),
        ("precision", "int8"),
        ("watch_interval_s", "0"),
        ("watch_interval_s", "nan"),
        ("root_path", "vision"),
        ("root_path", "/vision/"),
        ("max_pictures_per_request", "2000"),
        ("max_picture_bytes", "100000000"),
        ("max_request_bytes", "256000001"),
        ("max_body_bytes_held", "127999999"),
        ("default_timeout_ms", "70000"),
        ("store", ""),
        ("store", "a\0b"),
        ("weights", ""),
        ("onnx_cache", "a\0b"),
        ("host", "a\0b"),
        ("root_path", "/a\0b"),
    ],
)
def test_values_out_of_range_are_refused(name: str, value: str) -> None:
    with pytest.raises(ValidationError):
        settings_from({"store": "s"} | {name: value})


def test_the_pixel_limit_is_that_of_decoding() -> None:
    assert settings_from({"store": "s"}).max_pixels == decode.MAX_PIXELS


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "localhost.example.org"])
def test_an_address_that_others_reach_needs_keys_or_a_word(tmp_path: Path, host: str) -> None:
    flags = {"store": str(tmp_path), "host": host}
    with pytest.raises(ValidationError, match=f"host {re.escape(host)} can be reached from elsewhere"):
        settings_from(flags)
    assert settings_from(flags | {"insecure": True}).host == host
    assert settings_from(flags | {"keys": "keys.json"}).keys == Path("keys.json")
    with pytest.raises(ValidationError, match="exclude each other"):
        settings_from(flags | {"insecure": True, "keys": "keys.json"})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost", "LOCALHOST", "::1"])
def test_an_address_of_this_machine_alone_needs_none(tmp_path: Path, host: str) -> None:
    assert settings_from({"store": str(tmp_path), "host": host}).keys is None


@pytest.mark.parametrize("place", ["stores/a", "stores/a/samples", "stores/b/../a/x", "file:///srv/a/x"])
def test_samples_do_not_lie_in_the_store(place: str) -> None:
    store = "/srv/a" if place.startswith("file") else "stores/a"
    with pytest.raises(ValidationError, match="must not be in the store"):
        settings_from({"store": store, "sample_to": place})
    assert settings_from({"store": store, "sample_to": "stores/ab"}).sample_to == Path("stores/ab")


def test_by_default_no_picture_is_kept() -> None:
    assert settings_from({"store": "s"}).sample_to is None
