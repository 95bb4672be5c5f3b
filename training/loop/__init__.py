"""Training and evaluating one adapter: steps, optimizers, answers, calibration."""
