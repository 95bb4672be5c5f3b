"""The line in the log that says what runs the forward pass."""

import logging

import torch

from adapters.config import BackboneConfig
from service.logs import log_event

logger = logging.getLogger("service.engine")


def log_start(
    engine: str, backbone: BackboneConfig, device: torch.device, dtype: torch.dtype, **facts: object
) -> None:
    """Tell what every engine has, and the `facts` of this one."""
    log_event(
        logger,
        logging.INFO,
        "engine",
        engine=engine,
        backbone=backbone.name,
        device=device,
        precision=str(dtype).removeprefix("torch."),
        **facts,
    )
