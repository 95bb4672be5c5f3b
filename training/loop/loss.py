"""The loss of a batch: cross-entropy with smoothed labels, and classes that count more than others."""

from torch import Tensor
from torch.nn import functional as F


def batch_loss(
    logits: Tensor, labels: Tensor, smoothing: float, class_weights: Tensor | None
) -> tuple[Tensor, int]:
    """Logits [b, C], labels [b] or, mixed, [b, C] → the loss, and how many rows are right.

    `class_weights` [C] say how much a picture of each class counts. Of mixed pictures right is the larger
    share.
    """
    wanted = labels if labels.dim() == 1 else labels.argmax(dim=1)
    if class_weights is None:
        loss = F.cross_entropy(logits, labels, label_smoothing=smoothing)
    else:
        # torch's own weights would spread smoothed labels by weight too, and push rare classes up.
        mixed = labels.dim() == 2
        weights = labels @ class_weights if mixed else class_weights[labels]
        losses = F.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="none")
        loss = (weights * losses).sum() / weights.sum()
    return loss, int((logits.argmax(dim=1) == wanted).sum())
