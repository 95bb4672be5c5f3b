"""Where the kernels cannot be compiled, the log says so and all runs as it is."""

import copy
import logging
import sys

import pytest
import torch
from timm.layers.norm import RmsNorm

from adapters.vit.backbone import Backbone
from service.engine.kernels import fuse
from tests.support.backbones import tiny_backbone


def refusals(caplog: pytest.LogCaptureFixture) -> list[str]:
    assert all(record.getMessage() == "fuse_failed" for record in caplog.records)
    return [record.__dict__["fields"]["kind"] for record in caplog.records]


def test_without_triton_the_backbone_runs_as_it_is(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delitem(sys.modules, "adapters.vit.fused", raising=False)
    monkeypatch.delitem(sys.modules, "adapters.vit.kernels", raising=False)
    monkeypatch.delattr("adapters.vit.kernels", raising=False)
    monkeypatch.setitem(sys.modules, "triton", None)
    with caplog.at_level(logging.WARNING):
        assert fuse(backbone) is backbone
    assert refusals(caplog) == ["ModuleNotFoundError"]


def test_what_triton_cannot_run_is_told_and_runs_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("triton", reason="no Triton for this platform")
    own = tiny_backbone()
    with caplog.at_level(logging.WARNING):
        assert fuse(own) is own  # its weights are on the CPU
    assert len(refusals(caplog)) == 1
    assert not own.fused


def test_other_norms_are_left_to_torch(caplog: pytest.LogCaptureFixture) -> None:
    own = tiny_backbone(norm_layer=RmsNorm)
    with caplog.at_level(logging.WARNING):
        assert not fuse(own).fused
    assert not caplog.records


def test_a_fault_of_the_device_is_not_one_of_triton(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Backbone) -> Backbone:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Backbone, "fuse", fail)
    with pytest.raises(torch.OutOfMemoryError):
        fuse(backbone)


def test_what_is_fused_shares_all_but_that(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    def mark(own: Backbone) -> Backbone:
        own.fused = True
        return own

    monkeypatch.setattr(Backbone, "fuse", mark)
    own = fuse(backbone)
    assert own.fused
    assert not backbone.fused
    assert own.vit is backbone.vit


def test_what_is_prepared_anew_is_fused_no_longer(backbone: Backbone) -> None:
    own = copy.deepcopy(backbone)
    own.fused = True
    assert not own.prepare(torch.device("cpu"), torch.float32).fused
