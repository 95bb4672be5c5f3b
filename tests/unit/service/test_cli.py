import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.store.store import Store
from adapters.vit.backbone import EMBEDDED_BACKBONE
from service.cli import main
from service.command import build_parser
from service.settings import Settings


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """The command line takes over the process's logging; give it back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_every_setting_has_a_flag() -> None:
    text = build_parser().format_help()

    for name in Settings.model_fields:
        assert f"--{name.replace('_', '-')}" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "store: is needed"),
        (["--store", "s", "--port", "99999"], "port: input should be less than or equal to 65535"),
        (["--store", "s", "--device", "gpu"], "device: "),
        (["--store", "s", "--config", "/none.toml"], "there is no file /none.toml"),
        (["--store", "s", "--max-picture-bytes", "999999999"], "must not be above max_request_bytes"),
    ],
)
def test_bad_settings_are_one_line_and_exit_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2

    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_only_what_is_wrong_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Not the defaults that follow from it as well."""
    assert main(["--store", "s", "--port", "abc", "--workers", "many"]) == 2

    told = capsys.readouterr().err.removeprefix("dvpt-serve: ").split("; ")
    assert [fault.partition(": ")[0] for fault in told] == ["workers", "port"]
    assert "abc" in told[1]


def test_a_file_that_is_no_toml_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.toml").write_text("store = ")

    assert main(["--config", str(tmp_path / "x.toml")]) == 2
    assert "cannot read the configuration" in capsys.readouterr().err


def test_a_missing_store_says_how_to_make_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--store", str(tmp_path)]) == 1

    error = capsys.readouterr().err
    assert "has no backbone.json" in error
    assert "--backbone" in error


def test_a_store_where_no_files_are_kept_is_a_bad_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(["--store", "s3://bucket/store", "--backbone", "x"]) == 2

    assert "no files are kept at s3://" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_device_that_is_not_there_is_a_bad_setting(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--store", store.url, "--device", "cuda:77"]) == 2
    assert "no device cuda:77" in capsys.readouterr().err


def test_an_unknown_backbone_makes_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--store", str(tmp_path / "new"), "--backbone", "resnet50"]) == 1

    assert "resnet50" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_variables_of_an_orchestrator_are_ignored_with_a_line(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DVPT_PORT", "tcp://10.96.0.12:8000")
    monkeypatch.setenv("DVPT_SERVICE_HOST", "10.96.0.12")
    monkeypatch.setenv("DVPT_BACKBONE", "")
    monkeypatch.setenv("DVPT_STORE", f"{store.url}\n")

    main(["--device", "cuda:77"])

    error = capsys.readouterr().err
    assert f" settings store={store.url} backbone=None " in error
    assert " port=8000 " in error
    assert len([line for line in error.splitlines() if "variables_ignored" in line]) == 1
    assert 'names="DVPT_PORT, DVPT_SERVICE_HOST"' in error
    assert "unknown_variable" not in error


def test_a_port_that_is_no_number_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DVPT_PORT", "tcp:8000")

    assert main(["--store", "s"]) == 2
    assert "port: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "place", ["/proc/nope", "file", "file/sub", "dangling", "loop", "x" * 300, "y/" * 3000]
)
@pytest.mark.parametrize("creating", [False, True])
def test_a_store_that_cannot_be_is_one_line(
    place: str,
    creating: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")

    assert main(["--store", place, *(["--backbone", EMBEDDED_BACKBONE] if creating else [])]) == 1

    error = capsys.readouterr().err.splitlines()
    assert [line for line in error if line.startswith("dvpt-serve: ")] == [error[-1]]
    assert place[:100] in error[-1]
    assert "Traceback" not in "".join(error)
