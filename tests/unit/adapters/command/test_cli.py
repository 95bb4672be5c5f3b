"""`dvpt-adapters` itself: which store it takes, and what is a usage error of any command."""

from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.command.cli import main
from adapters.store.store import Store

Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["show"],
        ["show", "digits", "--version", "1", "--label", "stable"],
        ["show", "digits", "--version", "0"],
        ["show", "digits", "--version", "٣"],
        ["label", "digits", "stable"],
        ["label", "digits", "stable", "1", "--remove"],
        ["delete", "digits"],
        ["delete", "digits", "--all", "--version", "1"],
        ["prune"],
        ["prune", "--keep", "-1"],
        ["import", "folder"],
        ["classify", "digits"],
        ["classify", "digits", "x.png", "--top-k", "many"],
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("published_twice")
def test_usage_errors(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: dvpt-adapters" in capsys.readouterr().err


def test_which_store(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DVPT_STORE", raising=False)
    with pytest.raises(SystemExit) as caught:
        main(["list"])
    assert caught.value.code == 2
    assert "say which store: --store DIR, or DVPT_STORE" in capsys.readouterr().err
    code, _, err = run("list", "--store", tmp_path / "none")
    assert (code, err) == (
        1,
        f"dvpt-adapters: there is no store at {tmp_path / 'none'}: it has no backbone.json\n",
    )


def test_a_store_can_be_a_url(published_twice: Store, run: Run) -> None:
    assert run("list", "--store", f"file://{published_twice.url}") == run("list")
    code, _, err = run("list", "--store", "s3://bucket/store")
    assert (code, err.count("\n")) == (1, 1)
    assert "'s3://bucket/store': no files are kept at s3://" in err
