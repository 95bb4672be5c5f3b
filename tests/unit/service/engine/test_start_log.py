import pytest
import torch

from adapters.vit.backbone import Backbone
from service.engine.start_log import log_start


def test_every_engine_tells_what_it_runs_on_and_its_own_facts(
    backbone: Backbone, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "service.engine")

    log_start("torch", backbone.config, torch.device("cpu"), torch.bfloat16, threads=3)

    (record,) = caplog.records
    assert record.message == "engine"
    assert record.__dict__["fields"] == {
        "engine": "torch",
        "backbone": backbone.config.name,
        "device": torch.device("cpu"),
        "precision": "bfloat16",
        "threads": 3,
    }
