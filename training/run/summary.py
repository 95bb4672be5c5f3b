"""What a user wants to know at the end of a run."""

from training.card.findings import Findings
from training.card.linear_beside import advice, comparison
from training.card.provenance import Provenance
from training.run.execution import Outcome
from training.run.publish import published_lines
from training.run.run import Run

UNEVEN = 1.5
"""From so many times its share on, the largest class is why accuracy says nothing."""


def summary(run: Run, outcome: Outcome) -> str:
    """Accuracy, costs, where everything is, and what to try next."""
    findings, facts = outcome.findings, outcome.provenance
    counts = facts.parameters
    lines = [
        f"accuracy on {findings.split}: {findings.predictions.accuracy:.4f} "
        f"(95 % {findings.interval.text()}, {len(findings.predictions.labels)} pictures)",
        *_linear(findings, facts),
        *_balance(findings),
        f"parameters: {counts.with_head:,} with head, {counts.without_head:,} without",
        *_notes(findings, facts),
        f"seconds: {outcome.seconds:.1f}, training {facts.training_seconds:.1f}",
        f"run directory: {outcome.run}",
        *published_lines(run.config, outcome.store, outcome.version),
    ]
    return "\n".join(lines)


def _linear(findings: Findings, facts: Provenance) -> list[str]:
    """The linear head's accuracy beside it, and a hint where that is as good."""
    compared = comparison(findings, facts.method)
    hint = advice(findings, facts.method, facts.parameters.with_head)
    return [*([compared] if compared else []), *([f"hint: {hint}"] if hint else [])]


def _balance(findings: Findings) -> list[str]:
    """Accuracy with every class counting alike, and a warning where one answer for all would do as well."""
    predictions = findings.predictions
    lines = [f"balanced accuracy: {predictions.balanced_accuracy:.4f} (mean over classes)"]
    if predictions.no_better_than_one_answer:
        label, part = predictions.largest_class
        advice = "; try --class-weights balanced" if part > UNEVEN / len(findings.classes) else ""
        lines.append(
            f"warning: accuracy is no better than always answering '{findings.classes[label]}' "
            f"({part:.4f}){advice}"
        )
    return lines


def _notes(findings: Findings, facts: Provenance) -> list[str]:
    """What early stopping and calibration did, where they were asked for."""
    lines = []
    if stopped := facts.early_stopping:
        lines.append(f"best epoch on val, which counts: {stopped.epoch} ({stopped.val_accuracy:.4f})")
    if floor := findings.floor:
        lines.append(f"published as a linear head, which was right for {floor}")
    if found := findings.calibration:
        lines.append(
            f"temperature: {found.temperature:.3f}; calibration error {findings.uncalibrated.error:.4f} "
            f"before, {findings.reliability.error:.4f} with it"
        )
    if accepted := findings.accepted:
        lines.append(f"accepted of {findings.split}: {accepted}")
    return lines
