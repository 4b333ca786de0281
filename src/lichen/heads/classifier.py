"""`Classifier`: which class a sample belongs to, or which classes where several may apply."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from ..backbones.features import Features
from ..errors import InputError
from .summary import Summary

STD = 0.02
"""Standard deviation of a fresh head's weights: its first answers are near-uniform, its loss near log(classes)."""

Targets = Int[Tensor, " batch"] | Shaped[Tensor, "batch classes"]


class Classifier(nn.Module):
    """A linear layer on a summary vector.

    The vector is standardised first, each sample over its width and without parameters. Backbones differ by orders of
    magnitude in the scale of their outputs (and so do [CLS] and the mean of the patches beside each other), and one
    learning rate should serve them all. Statistics of a sample alone, unlike a batch norm's, leave every answer
    independent of the batch, so that accumulated steps and several processes give what one large batch gives.

    Args:
        summary: makes the vector.
        classes: how many there are.
        multi_label: several classes may apply at once.
        dropout: on the vector, in training.
        label_smoothing: share of the target that is spread over all classes (multi-label: moved towards 1/2).
        class_weights: one a class. Weights of the samples by their class, or, multi-label, of the positive targets.
            The loss is the mean over samples, not over weights, so that it does not depend on the batch's make-up.
        standardise: see above.

    Raises:
        InputError: a setting out of range.
    """

    class_weights: Tensor | None

    def __init__(
        self,
        summary: Summary,
        classes: int,
        multi_label: bool = False,
        dropout: float = 0.1,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
        standardise: bool = True,
    ) -> None:
        super().__init__()
        least = 1 if multi_label else 2
        if classes < least:
            raise InputError(f"A classifier needs at least {least} classes; got {classes}.")
        for name, value in (("dropout", dropout), ("label_smoothing", label_smoothing)):
            if not 0 <= value < 1:
                raise InputError(f"{name} must lie in [0, 1); got {value}.")
        if class_weights is not None and (len(class_weights) != classes or min(class_weights) < 0):
            raise InputError(f"class_weights must hold {classes} numbers of at least 0; got {list(class_weights)}.")
        self.summary = summary
        self.multi_label = multi_label
        self.label_smoothing = label_smoothing
        self.standardise = standardise
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(summary.width, classes)
        nn.init.normal_(self.linear.weight, 0.0, STD)
        nn.init.zeros_(self.linear.bias)
        weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
        # They belong to the training, not to the trained head.
        self.register_buffer("class_weights", weights, persistent=False)

    def forward(self, features: Features, targets: Targets | None = None) -> dict[str, Tensor]:
        """Score the classes.

        Args:
            features: adapted or frozen ones.
            targets: class numbers (batch,), or shares of the classes (batch, classes). With `multi_label` 0 or 1 for
                every class, (batch, classes).

        Returns:
            `logits`: (batch, classes); see `probabilities`.
            `loss`: mean cross-entropy over the samples (multi-label: binary, also over the classes), with targets.

        Raises:
            InputError: targets of another shape than this head's.
        """
        vector = self.summary(features, self.standardise).to(self.linear.weight.dtype)
        logits = self.linear(self.dropout(vector))
        if targets is None:
            return {"logits": logits}
        return {"logits": logits, "loss": self.loss(logits, targets)}

    def probabilities(self, logits: Float[Tensor, "batch classes"]) -> Float[Tensor, "batch classes"]:
        """Softmax over the classes, or the sigmoid of each where several may apply."""
        return logits.sigmoid() if self.multi_label else logits.softmax(-1)

    def loss(self, logits: Float[Tensor, "batch classes"], targets: Targets) -> Float[Tensor, ""]:
        """Mean loss; see `forward`."""
        if targets.shape != logits.shape and (self.multi_label or targets.shape != logits.shape[:1]):
            wanted = list(logits.shape) if self.multi_label else f"{[len(logits)]} or {list(logits.shape)}"
            raise InputError(f"Targets of shape {wanted} are expected; got {list(targets.shape)}.")
        weights = None if self.class_weights is None else self.class_weights.to(logits.dtype)
        smoothing = self.label_smoothing
        if not self.multi_label:
            if targets.ndim == 2:
                targets = targets.to(logits.dtype)
            return cross_entropy(logits, targets, weights, reduction="none", label_smoothing=smoothing).mean()
        smooth = targets.to(logits.dtype) * (1 - smoothing) + smoothing / 2
        return binary_cross_entropy_with_logits(logits, smooth, pos_weight=weights)
