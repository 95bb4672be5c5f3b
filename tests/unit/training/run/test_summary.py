from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from training.card.findings import LinearBeside
from training.card.linear_beside import comparison
from training.options.train_config import TrainConfig
from training.run.execution import execute
from training.run.record import provenance_of, read_result, record_outputs
from training.run.run import Run
from training.run.summary import summary


@pytest.mark.slow
def test_the_linear_head_stands_under_the_accuracy_and_in_the_result(
    new_config: Callable[..., TrainConfig], picture_folder: Callable[..., Path]
) -> None:
    run = Run(new_config(data=picture_folder(train=4, test=4), epochs=1, publish=False))
    outcome = execute(run, "dvpt-train")
    assert outcome.findings.linear is not None
    assert outcome.provenance.linear_head is not None
    trial = execute(Run(run.config.model_copy(update={"seed": 1})), "dvpt-train", card=False)
    assert "linear head" not in summary(run, trial)

    findings = outcome.findings
    beside = LinearBeside(replace(findings.predictions), values=51, strength=0.3)
    findings = replace(findings, linear=beside)
    provenance = provenance_of(run, findings, "dvpt-train")
    lines = summary(run, replace(outcome, findings=findings, provenance=provenance)).splitlines()
    assert lines[0].startswith("accuracy on test")
    assert lines[1] == comparison(findings, "dvpt")
    assert lines[2] == (
        "hint: dvpt is not above it beyond chance: --method linear is smaller (51 values) and as good here"
    )

    record_outputs(run.directory, findings, provenance, {}, None)
    facts = read_result(run.directory.path).linear_head
    assert facts is not None
    assert (facts.accuracy, facts.difference) == (round(findings.predictions.accuracy, 6), 0.0)
    assert facts.difference_low == -facts.difference_high < 0
    assert (facts.values, facts.strength) == (51, 0.3)
