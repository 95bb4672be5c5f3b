"""What answers to pictures that were not trained on say about all others."""

from torch import Tensor

from training.card.findings import Calibration
from training.loop.acceptance import measured_acceptance
from training.loop.calibration import fit_temperature
from training.options.train_config import TrainConfig


def calibrated(config: TrainConfig, logits: Tensor, labels: Tensor, run: str) -> Calibration:
    """The temperature of logits [N, C] against labels [N], and the thresholds behind it."""
    temperature = fit_temperature(logits, labels)
    acceptance = measured_acceptance(
        logits / temperature,
        labels,
        precision=config.accept_precision,
        false_alarms=config.false_alarms,
    )
    return Calibration(temperature, len(labels), run, acceptance)
