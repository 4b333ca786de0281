"""Teacher forcing, parallel prediction, and a decoder that learns."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lichen.errors import InputError
from lichen.heads.decoder.generation import generate
from lichen.heads.decoder.loss import shift_right, text_losses
from lichen.heads.decoder.teaching import log_likelihood, teach

from .tiny import draw, ids_of, make_decoder, make_memory, random_ids

LABELS = ids_of([[5, 6, 7, 1], [8, 1], [9, 10, 1], [4, 1], [11, 12, 13, 14, 1]])
WEIGHTS = torch.ones(5, 5)
WEIGHTS[0, :2] = 0


def test_the_loss_is_that_of_logits_at_all_places() -> None:
    decoder = make_decoder()
    memory = decoder.remember(*make_memory())
    logits = decoder(shift_right(LABELS, 0), memory)
    wanted = text_losses(logits, LABELS, WEIGHTS, smoothing=0.1)
    torch.testing.assert_close(teach(decoder, memory, LABELS, WEIGHTS), wanted)


def test_likelihoods_are_sums_over_the_tokens_that_count() -> None:
    decoder = make_decoder()
    memory = decoder.remember(*make_memory())
    log_probs = decoder(shift_right(LABELS, 0), memory).log_softmax(-1)
    single = log_probs.gather(2, LABELS[:, :, None])[:, :, 0]
    wanted = (single * WEIGHTS * (LABELS != 0)).sum(1)
    torch.testing.assert_close(log_likelihood(decoder, memory, LABELS, WEIGHTS), wanted)


def test_losses_do_not_depend_on_the_batch_its_padding_or_shared_pictures() -> None:
    decoder = make_decoder()
    tokens, real = make_memory(2)
    memory = decoder.remember(tokens, real)
    picture = torch.tensor([1, 0, 1, 1, 0])
    whole = teach(decoder, memory, LABELS, picture=picture)
    longer = torch.nn.functional.pad(LABELS, (0, 4))
    torch.testing.assert_close(teach(decoder, memory, longer, picture=picture), whole)
    for row in range(5):
        length = int((LABELS[row] != 0).sum())
        alone = decoder.remember(tokens[picture[[row]]], real[picture[[row]]])
        torch.testing.assert_close(teach(decoder, alone, LABELS[[row], :length]), whole[[row]])


def test_parallel_prediction_hides_every_input() -> None:
    """All inputs are [MASK], every position looks at all of the context, losses stay the same (decoders.md 2.4)."""
    decoder = make_decoder()
    memory = decoder.remember(*make_memory())
    hidden = torch.full((5, decoder.config.context), decoder.config.mask)
    everywhere = text_losses(decoder(hidden, memory, causal=False)[:, :5], LABELS, smoothing=0.1)
    causal = teach(decoder, memory, LABELS)
    both = torch.tensor([True, False, True, True, False])
    found = teach(decoder, memory, LABELS, parallel=both)
    torch.testing.assert_close(found, torch.where(both, everywhere, causal))
    torch.testing.assert_close(teach(decoder, memory, LABELS, parallel=torch.ones(5, dtype=torch.bool)), everywhere)
    assert torch.equal(teach(decoder, memory, LABELS, parallel=torch.zeros(5, dtype=torch.bool)), causal)
    # Neither the padding of the batch nor other texts show.
    torch.testing.assert_close(teach(decoder, memory, torch.nn.functional.pad(LABELS, (0, 3)), parallel=both), found)


def test_the_hidden_input_learns_and_cannot_be_written() -> None:
    decoder = make_decoder()
    memory = decoder.remember(*make_memory())
    teach(decoder, memory, LABELS, parallel=torch.ones(5, dtype=torch.bool)).mean().backward()
    grad = decoder.embedding.weight.grad
    assert grad is not None and grad[decoder.config.mask].any() and not grad[: decoder.config.mask].any()
    assert decoder(LABELS, memory).shape[-1] == decoder.config.mask


def test_texts_over_the_context_are_refused() -> None:
    decoder = make_decoder()
    memory = decoder.remember(*make_memory())
    for parallel in (None, torch.ones(5, dtype=torch.bool)):
        with pytest.raises(InputError, match="13 tokens does not fit into a context of 12"):
            teach(decoder, memory, random_ids(0, 5, 13), parallel=parallel)


def test_dropout_is_for_training_and_reaches_every_part() -> None:
    decoder = make_decoder(dropout=0.5)
    memory = decoder.remember(*make_memory())
    assert torch.equal(teach(decoder, memory, LABELS), teach(decoder, memory, LABELS))
    decoder.train()
    torch.manual_seed(0)
    assert not torch.equal(teach(decoder, memory, LABELS), teach(decoder, memory, LABELS))


def test_a_decoder_learns_what_pictures_show_and_leaves_the_backbone_as_it_was() -> None:
    """Three kinds of pictures, three texts; the backbone is frozen and its features are reused."""
    torch.manual_seed(0)
    backbone = nn.Linear(4, 10).double().requires_grad_(False)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    kinds = torch.arange(24) % 3
    tokens = backbone(draw(0, 3, 4)[kinds][:, None] + 0.1 * draw(1, 24, 5, 4))
    kept = tokens.clone()
    texts = ids_of([[5, 6, 1], [5, 7, 8, 1], [9, 1]])
    decoder = make_decoder(scale=0.0, label_smoothing=0.0).train()
    optimiser = torch.optim.AdamW(decoder.parameters(), 1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        loss = teach(decoder, decoder.remember(tokens), texts[kinds]).mean()
        loss.backward()
        optimiser.step()
    decoder.eval()
    answers = generate(decoder, decoder.remember(tokens), most=6)
    assert answers.ids[:, :4].equal(texts[kinds])
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())
    assert torch.equal(tokens, kept) and not any(each.grad is not None for each in backbone.parameters())
