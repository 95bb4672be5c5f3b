"""The model card: what was trained, on what, how well it does, and how to use it."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from adapters.command.streams import printable
from adapters.config import StrictModel
from training.card import plots
from training.card.findings import Findings
from training.card.linear_beside import advice, comparison
from training.card.markdown import table
from training.card.provenance import Choice, Provenance
from training.harmless import harmless
from training.run_directory import EpochRecord
from training.uncertainty import BINS

ClassRow = tuple[str, float, float, float, int]
MATRIX_CLASSES = 20
NOT_SERVED = (
    "Trained for comparison: a service shares one frozen backbone and cannot run this method. The trained "
    "tensors are in `checkpoint.safetensors` of the run directory."
)


def model_card(
    name: str, findings: Findings, provenance: Provenance, *, served: bool = True
) -> dict[str, bytes]:
    """`README.md` and its plots, by file name; `served` says whether a service can run what was trained.

    A plot that cannot be drawn is left out with a warning.
    """
    counts = _confusions(findings)
    rows = class_rows(findings)
    text = "\n\n".join(
        [
            f"# {name}",
            _summary(findings, provenance, served=served),
            "## Use\n\n" + (_usage(name) if served else NOT_SERVED),
            *_chosen(findings.choice, provenance.method),
            "## Options and data\n\n" + _listing(provenance),
            "## Learning curve\n\n" + _learning(findings.history),
            "## Calibration\n\n![Accuracy by probability](reliability.png)\n\n" + _calibration(findings),
            "## Classes\n\n![F1 of each class](classes.png)\n\n" + _class_table(rows),
            "## Confusions\n\n![Confusion matrix](confusion-matrix.png)\n\n"
            + _confusion_text(counts, findings.classes),
        ]
    )
    drawn = _drawn(
        {
            "learning-curve.png": lambda: plots.learning_curve(findings.history),
            "reliability.png": lambda: plots.reliability(findings.reliability, findings.uncalibrated),
            "classes.png": lambda: plots.class_table(rows),
            "confusion-matrix.png": lambda: plots.confusion_matrix(counts, findings.classes),
        }
    )
    return {"README.md": (_showing(text, drawn) + "\n").encode(), **drawn}


def plain_card(name: str, findings: Findings) -> dict[str, bytes]:
    """The card where no other could be made: the name, and the figure that counts."""
    accuracy, pictures = findings.predictions.accuracy, len(findings.predictions.labels)
    text = f"# {name}\n\nAccuracy on {findings.split}: {accuracy:.4f} ({pictures} pictures).\n"
    return {"README.md": text.encode(errors="backslashreplace")}


def _drawn(all_plots: Mapping[str, Callable[[], bytes]]) -> dict[str, bytes]:
    """The plots that can be drawn."""
    drawn = {}
    for name, plot in all_plots.items():
        with harmless(f"plot {name}", "the card goes without it"):
            drawn[name] = plot()
    return drawn


def _showing(text: str, drawn: Mapping[str, bytes]) -> str:
    """The text without pictures that were not drawn."""
    return re.sub(
        r"!\[[^]]*\]\(([^)]*\.png)\)\n\n", lambda found: found[0] if found[1] in drawn else "", text
    )


def class_rows(findings: Findings) -> list[ClassRow]:
    """Class, precision, recall, F1, support; 0 where a figure has no denominator."""
    precision, recall, f1, support = precision_recall_fscore_support(
        findings.predictions.labels.numpy(),
        findings.predictions.predicted.numpy(),
        labels=range(len(findings.classes)),
        zero_division=0.0,
    )
    table = zip(findings.classes, precision, recall, f1, support, strict=True)
    return [(name, float(p), float(r), float(f), int(s)) for name, p, r, f, s in table]


def _confusions(findings: Findings) -> NDArray[np.int64]:
    counts: NDArray[np.int64] = confusion_matrix(
        findings.predictions.labels.numpy(),
        findings.predictions.predicted.numpy(),
        labels=range(len(findings.classes)),
    )
    return counts


def _summary(findings: Findings, provenance: Provenance, *, served: bool) -> str:
    accuracy, interval = findings.predictions.accuracy, findings.interval
    method, backbone = provenance.method, provenance.backbone
    what, measured = f"{method} adapter for the frozen backbone", "the published, rounded tensors"
    if not served:
        what, measured = f"{method} model made of the backbone", "the trained tensors"
    return (
        f"A {what} `{backbone}`, {len(findings.classes)} classes. "
        f"Accuracy on {findings.split}: **{accuracy:.4f}** (95 % interval {interval.text()}: Wilson's, of "
        f"{len(findings.predictions.labels)} pictures), measured on {measured}. "
        f"Balanced over classes: {findings.predictions.balanced_accuracy:.4f}.{_one_answer(findings)}"
        f"{_floor(findings)}{_linear(findings, provenance)}"
    )


def _floor(findings: Findings) -> str:
    """That a linear head stands in for what was trained, and why."""
    return f" **It is a linear head, which was right for {findings.floor}.**" if findings.floor else ""


def _linear(findings: Findings, provenance: Provenance) -> str:
    """What a linear head does on the same pictures, and whether that would do."""
    compared = comparison(findings, provenance.method)
    if compared is None:
        return ""
    hint = advice(findings, provenance.method, provenance.parameters.with_head)
    return f"\n\nBeside it: {compared}." + (f" **{hint}.**" if hint else "")


def _one_answer(findings: Findings) -> str:
    """A warning where always saying the largest class would do as well."""
    if not findings.predictions.no_better_than_one_answer:
        return ""
    label, part = findings.predictions.largest_class
    name = printable(findings.classes[label])
    return f" **No better than always answering `{name}`, which is right for {part:.4f} of them.**"


def _calibration(findings: Findings) -> str:
    """How far probabilities lie from accuracies, and what was done about it."""
    text = f"Expected calibration error on {findings.split}, {BINS} bins: {findings.reliability.error:.4f}"
    found = findings.calibration
    if found is None:
        return f"{text}. No temperature was fitted."
    return (
        f"{text}, before {findings.uncalibrated.error:.4f}. The head is divided by a temperature of "
        f"{found.temperature:.4f}, fitted on answers to {found.pictures} pictures that were not "
        f"trained on by then (`{found.run}`). It changes probabilities and no answer." + _acceptance(findings)
    )


def _acceptance(findings: Findings) -> str:
    """What a service accepts, and what that is worth."""
    thresholds, found = findings.calibration and findings.calibration.acceptance, findings.accepted
    if not thresholds or found is None:
        return ""
    return (
        f"\n\nA service accepts an answer from a probability on that each class has of its own, so that "
        f"{thresholds.precision:.0%} of those accepted were right of the same pictures, and takes a picture "
        f"for none of the classes below {thresholds.none_below:.4f}. Accepted of {findings.split}: {found}."
    )


def _chosen(choice: Choice | None, method: str) -> list[str]:
    """How `--method auto` came to the method, where it did."""
    if choice is None:
        return []
    text = f"## Choice of the method\n\n`--method auto` took {method}: {choice.why}."
    if not choice.tried:
        return [text]
    header = ("method", "trained values", "epochs", "accuracy", "behind the best", "standard error")
    rows = [
        (
            one.method,
            f"{one.values:,}",
            f"{one.epochs}, dropped then" if one.dropped else str(one.epochs),
            *map(_optional, (one.accuracy, one.behind, one.behind_error)),
        )
        for one in choice.tried
    ]
    return [f"{text}\n\n{table(header, rows)}"]


def _usage(name: str) -> str:
    return (
        "```sh\n"
        f"curl --data-binary @picture.jpg -H 'Content-Type: image/jpeg' \\\n"
        f"  http://127.0.0.1:8000/v1/tasks/{name}/classify\n"
        "```"
    )


def _listing(provenance: Provenance) -> str:
    facts = [(name, value) for name, value in provenance if value is not None and name != "choice"]
    return "\n".join(f"- {name.replace('_', ' ')}: {_plain(value)}" for name, value in facts)


def _plain(value: Any) -> str:
    """A value in words: facts as `name value, …`, lists joined, what is absent as `none`."""
    if isinstance(value, StrictModel):
        value = dict(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {item}" for key, item in value.items() if item is not None)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "; ".join(map(str, value)) or "none"
    return str(value)


def _learning(history: Sequence[EpochRecord]) -> str:
    """Plot and table, or that there was nothing to learn step by step."""
    if not history:
        return "None: the head was computed at once from features."
    return "![Loss and accuracy over epochs](learning-curve.png)\n\n" + _history_table(history)


def _history_table(history: Sequence[EpochRecord]) -> str:
    every = max(1, len(history) // 10)
    shown = [record for record in history if record.epoch % every == 0 or record is history[-1]]
    rows = [
        (str(r.epoch), f"{r.loss:.4f}", f"{r.accuracy:.4f}", _optional(r.val_accuracy), f"{r.seconds:.1f}")
        for r in shown
    ]
    return table(("epoch", "loss", "accuracy", "val", "seconds"), rows)


def _class_table(rows: Sequence[ClassRow]) -> str:
    cells = [(name, f"{p:.3f}", f"{r:.3f}", f"{f:.3f}", str(s)) for name, p, r, f, s in rows]
    return table(("class", "precision", "recall", "F1", "pictures"), cells)


def _confusion_text(counts: NDArray[np.int64], classes: Sequence[str]) -> str:
    """The whole matrix for few classes, the twenty most frequent confusions for many."""
    if len(classes) <= MATRIX_CLASSES:
        header = ("true ↓ answer →", *classes)
        return table(header, [(name, *map(str, row)) for name, row in zip(classes, counts, strict=True)])
    wrong = [(int(n), int(t), int(a)) for (t, a), n in np.ndenumerate(counts) if n and t != a]
    worst = sorted(wrong, reverse=True)[:20]
    return table(("true", "answer", "pictures"), [(classes[t], classes[a], str(n)) for n, t, a in worst])


def _optional(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
