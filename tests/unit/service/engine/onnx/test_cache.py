"""Exported graphs are made once, whole, and again where they do not load."""

import os
import time
from pathlib import Path

import pytest
import torch

from adapters.errors import ConfigError
from adapters.vit.backbone import Backbone
from service.engine.onnx.cache import MODEL_FILE, GraphCache
from tests.support.backbones import tiny_backbone


@pytest.fixture
def cache(tmp_path: Path) -> GraphCache:
    return GraphCache(tmp_path / "new" / "cache")


class Exporter:
    """Writes a file and counts how often."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, backbone: Backbone, path: Path) -> None:
        self.calls += 1
        path.write_text(backbone.config.sha256)
        path.with_suffix(".onnx.data").write_bytes(b"weights")


def test_a_graph_is_exported_once(cache: GraphCache, backbone: Backbone) -> None:
    export = Exporter()

    texts = [cache.open("encode", backbone, export, Path.read_text) for _ in range(3)]

    assert texts == [backbone.config.sha256] * 3
    assert export.calls == 1
    (folder,) = cache.root.iterdir()
    assert sorted(path.name for path in folder.iterdir()) == [MODEL_FILE, "model.onnx.data"]


def test_graphs_backbones_and_precisions_stay_apart(cache: GraphCache, backbone: Backbone) -> None:
    other = tiny_backbone(seed=9)
    half = tiny_backbone()
    assert half.config == backbone.config
    half.prepare(torch.device("cpu"), torch.float16)

    folders = {cache.folder(name, vit) for name in ("embed", "encode") for vit in (backbone, other, half)}

    assert len(folders) == 6


def test_a_graph_that_does_not_load_is_made_again(
    cache: GraphCache, backbone: Backbone, caplog: pytest.LogCaptureFixture
) -> None:
    export = Exporter()

    def read(path: Path) -> str:
        text = path.read_text()
        if text == "damaged":
            raise RuntimeError("protobuf parsing failed")
        return text

    cache.open("encode", backbone, export, read)
    (cache.folder("encode", backbone) / MODEL_FILE).write_text("damaged")

    assert cache.open("encode", backbone, export, read) == backbone.config.sha256
    assert export.calls == 2
    assert "graph_damaged" in caplog.text


def test_a_provider_that_is_not_there_throws_no_graph_away(cache: GraphCache, backbone: Backbone) -> None:
    export = Exporter()
    cache.make("encode", backbone, export)

    def refuse(_: Path) -> None:
        raise ConfigError("no CUDA")

    with pytest.raises(ConfigError, match="no CUDA"):
        cache.open("encode", backbone, export, refuse)
    assert cache.find("encode", backbone) is not None


def test_an_export_that_fails_leaves_nothing(cache: GraphCache, backbone: Backbone) -> None:
    def fail(_: Backbone, path: Path) -> None:
        path.write_text("half of it")
        raise RuntimeError("an operator that is not known")

    with pytest.raises(RuntimeError, match="operator"):
        cache.open("encode", backbone, fail, Path.read_text)
    assert list(cache.root.iterdir()) == []


def test_of_two_processes_that_export_one_wins(cache: GraphCache, backbone: Backbone) -> None:
    export = Exporter()

    def slow(vit: Backbone, path: Path) -> None:
        export(vit, path)
        if export.calls == 1:
            cache.make("encode", vit, export)  # the other process, which began later and is done first

    path = cache.make("encode", backbone, slow)

    assert path.read_text() == backbone.config.sha256
    assert export.calls == 2
    assert len(list(cache.root.iterdir())) == 1


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, backbone: Backbone) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(ConfigError, match=r"file.*--onnx-cache"):
        GraphCache(tmp_path / "file").make("encode", backbone, Exporter())


@pytest.mark.parametrize("name", ["x" * 300, "file/sub", "loop/sub"])
def test_a_folder_that_cannot_be_is_named_too(name: str, tmp_path: Path, backbone: Backbone) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "loop").symlink_to("loop")

    with pytest.raises(ConfigError, match="--onnx-cache"):
        GraphCache(tmp_path / name).open("encode", backbone, Exporter(), Path.read_text)


def test_what_a_process_left_that_ended_while_it_exported_goes(cache: GraphCache, backbone: Backbone) -> None:
    for name, age_s in ((".writing-old", 7200), (".writing-now", 10)):
        (cache.root / name / "made").mkdir(parents=True)
        os.utime(cache.root / name, (time.time() - age_s,) * 2)

    cache.make("encode", backbone, Exporter())

    assert {path.name for path in cache.root.glob(".writing-*")} == {".writing-now"}
