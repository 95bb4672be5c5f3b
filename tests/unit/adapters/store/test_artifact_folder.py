"""Adapters carried between stores by `dvpt-adapters export` and `import`."""

import shutil
from collections.abc import Callable
from pathlib import Path

import torch

from adapters.store.artifact import CONFIG_FILE, TENSORS_FILE
from adapters.store.store import Store
from adapters.vit.backbone import Backbone
from tests.support.backbones import tiny_backbone

Run = Callable[..., tuple[int, str, str]]


def test_export_and_import(published_twice: Store, backbone: Backbone, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "carried"
    assert run("export", "digits", out, "--version", 1) == (0, f"wrote digits version 1 to {out}\n", "")
    assert {path.name for path in out.iterdir()} == {
        CONFIG_FILE, TENSORS_FILE, "README.md", "learning-curve.png",
    }  # fmt: skip
    (out / "notes.txt").write_text("not an adapter's file")
    other = Store.create(tmp_path / "other", backbone.config)
    assert run("import", out, "--task", "numbers", "--store", other.url) == (
        0, "published numbers version 1\n", "",
    )  # fmt: skip
    first, again = published_twice.load("digits", 1), other.load("numbers", other.resolve("numbers"))
    assert again.config == first.config
    assert again.card == first.card
    assert all(torch.equal(again.tensors[name], first.tensors[name]) for name in first.tensors)
    run("import", out, "--task", "numbers", "--label", "canary", "--store", other.url)
    run("import", out, "--task", "numbers", "--no-label", "--store", other.url)
    assert other.task("numbers").versions == (1,)  # the same thing is no other version
    assert other.task("numbers").labels == {"canary": 1, "stable": 1}


def test_export_overwrites_nothing(published_twice: Store, tmp_path: Path, run: Run) -> None:
    code, _, err = run("export", "digits", published_twice.url)
    assert (code, err) == (
        1,
        f"dvpt-adapters: {published_twice.url} is there already and not an empty directory\n",
    )
    file = tmp_path / "file"
    file.write_text("mine")
    assert run("export", "digits", file)[0] == 1
    assert file.read_text() == "mine"


def test_import_refuses_damage_and_another_backbone(
    published_twice: Store, tmp_path: Path, run: Run, store_folder: Path
) -> None:
    folder = tmp_path / "carried"
    code, _, err = run("import", folder, "--task", "x")
    assert (code, err) == (1, f"dvpt-adapters: there is no directory {folder}\n")
    folder.mkdir()
    assert "adapter_config.json is missing" in run("import", folder, "--task", "x")[2]
    shutil.copytree(store_folder / "digits" / "1", folder, dirs_exist_ok=True)
    assert "task name '../x' is not allowed" in run("import", folder, "--task", "../x")[2]
    (folder / "README.md").unlink()
    (folder / "README.md").symlink_to("/etc/hostname")
    assert (
        "README.md cannot be read: a store holds no symbolic links" in run("import", folder, "--task", "x")[2]
    )
    (folder / "README.md").unlink()
    other = Store.create(tmp_path / "other", tiny_backbone(embed_dim=24).config)
    code, _, err = run("import", folder, "--task", "x", "--store", other.url)
    assert code == 1
    assert "the adapter was made for the backbone with SHA-256" in err
    assert published_twice.tasks() == ["digits"]
    assert other.tasks() == []
