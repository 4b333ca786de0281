"""The loss against hand computation."""

from __future__ import annotations

import math

import pytest
import torch

from lichen.errors import InputError
from lichen.heads.decoder.loss import shift_right, text_losses, token_losses

from .tiny import draw


def test_inputs_are_targets_moved_by_one() -> None:
    labels = torch.tensor([[5, 6, 1], [7, 1, 0]])
    assert shift_right(labels, 0).tolist() == [[0, 5, 6], [0, 7, 1]]


def test_texts_of_different_length_weigh_alike() -> None:
    """Two texts over four tokens, by hand: logits [2, 0, 0, 0] favour token 0 by ln(e^2 / (e^2 + 3))."""
    logits = torch.zeros(2, 3, 4, dtype=torch.float64)
    logits[0, :, 1] = 2.0
    logits[1, 0, 2] = 2.0
    labels = torch.tensor([[1, 2, 1], [3, 0, 0]])
    hit = math.log(math.exp(2) + 3) - 2
    miss = math.log(math.exp(2) + 3)
    found = text_losses(logits, labels)
    torch.testing.assert_close(found, torch.tensor([(2 * hit + miss) / 3, miss], dtype=torch.float64))
    # The mean over all tokens would be another number: 3 of 4 tokens belong to the first text.
    assert found.mean().item() != pytest.approx((2 * hit + 2 * miss) / 4)


def test_weights_leave_prompts_out_and_padding_never_counts() -> None:
    logits, labels = draw(0, 2, 4, 6), torch.tensor([[2, 3, 4, 1], [5, 1, 0, 0]])
    single = torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
    weights = torch.tensor([[0, 0, 2.0, 1], [1, 1, 1, 1]])
    found = text_losses(logits, labels, weights)
    torch.testing.assert_close(found[0], (2 * single[0, 2] + single[0, 3]) / 3)
    torch.testing.assert_close(found[1], single[1, :2].mean())
    assert text_losses(logits, labels, torch.zeros(2, 4)).tolist() == [0, 0]


def test_weights_of_other_labels_are_refused(unchecked: None) -> None:
    with pytest.raises(InputError, match=r"\[2, 4\] are expected; got \[2, 3\]"):
        text_losses(draw(0, 2, 4, 6), torch.ones(2, 4, dtype=torch.long), torch.ones(2, 3))


def test_smoothing_goes_to_the_other_tokens() -> None:
    """big_vision's rule (decoders.md 1.6): 1 - e on the target, e / (V - 1) on each other token."""
    logits, labels = draw(0, 5, 7), torch.tensor([2, 0, 6, 3, 3])
    share = torch.full((5, 7), 0.1 / 6, dtype=torch.float64).scatter_(1, labels[:, None], 0.9)
    wanted = -(share * logits.log_softmax(-1)).sum(-1)
    torch.testing.assert_close(token_losses(logits, labels, 0.1), wanted)
