"""Decoding under an automaton: every answer is one of its grammar, and confidences stay unmasked."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lichen.errors import InputError
from lichen.heads.decoder.decoder import TextDecoder
from lichen.heads.decoder.generation import generate
from lichen.heads.decoder.loss import shift_right
from lichen.heads.decoder.rules import Rules
from lichen.heads.decoder.teaching import log_likelihood

from .grammars import NAMES, automaton, tokenizer
from .tiny import ids_of, make_decoder, make_memory, random_ids

GRAMMARS = ("text", "labels", "box", "words and box", "objects", "objects of classes")


CPU = torch.device("cpu")


def decoder_of(seed: int, **changes) -> TextDecoder:
    words = tokenizer()
    return make_decoder(seed, vocabulary=words.vocabulary, pad=words.pad, end=words.end, **{"context": 20, **changes})


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("grammar", GRAMMARS)
def test_every_answer_is_of_the_grammar(grammar: str, beams: int) -> None:
    """Also where the limit is short and prompts leave each row another room."""
    rules = automaton(grammar)
    prompts = ids_of([[5, 6, 7], [8], [9, 10, 11, 12], [], [13, 14, 15, 16, 17]])
    for seed, most in ((0, None), (1, max(8, int(Rules.of(rules, CPU).distance[rules.start])))):
        decoder = decoder_of(seed)
        memory = decoder.remember(*make_memory())
        answers = generate(decoder, memory, prompts, automaton=rules, beams=beams, most=most)
        assert answers.finished.all()
        for ids, length in zip(answers.ids.tolist(), answers.lengths.tolist(), strict=True):
            assert rules.accepts(ids[:length]), tokenizer().decode(ids)


@pytest.mark.parametrize("beams", [1, 3])
def test_confidences_are_among_all_tokens(beams: int) -> None:
    decoder = decoder_of(0)
    memory = decoder.remember(*make_memory())
    answers = generate(decoder, memory, automaton=automaton("box"), beams=beams)
    with torch.no_grad():
        wanted = log_likelihood(decoder, memory, answers.ids[:, :5])
    torch.testing.assert_close(answers.score, wanted)


@pytest.mark.parametrize("beams", [1, 3])
def test_constrained_answers_do_not_depend_on_the_batch(beams: int) -> None:
    decoder = decoder_of(1)
    memory = decoder.remember(*make_memory())
    prompts = ids_of([[5, 6, 7, 8, 9, 10], [8], [9, 10, 11, 12], [4], [13, 14, 15, 16, 17]])
    rules = automaton("words and box")
    whole = generate(decoder, memory, prompts, automaton=rules, beams=beams)
    for row in (0, 1, 3):
        alone = memory.select(slice(row, row + 1))
        one = generate(decoder, alone, prompts[[row]], automaton=rules, beams=beams)
        assert one.ids.equal(whole.ids[[row]])
        torch.testing.assert_close(one.score, whole.score[[row]])


def test_an_automaton_that_allows_all_changes_nothing() -> None:
    decoder = decoder_of(1)
    memory = decoder.remember(*make_memory())
    free = replace(automaton("text"), allowed=torch.ones_like(automaton("text").allowed), coordinates=None)
    assert (
        generate(decoder, memory, automaton=free, most=6).ids[:, :5].equal(generate(decoder, memory, most=6).ids[:, :5])
    )


@pytest.mark.parametrize("grammar", ["box", "objects of classes", "labels"])
def test_confidences_among_what_is_allowed(grammar: str) -> None:
    """Greedy answers are the same; each probability is divided by that of all that was allowed in its place."""
    rules, decoder = automaton(grammar), decoder_of(1, context=40)
    memory = decoder.remember(*make_memory())
    wanted = generate(decoder, memory, automaton=rules)
    found = generate(decoder, memory, automaton=rules, confidence="allowed")
    assert found.ids.equal(wanted.ids) and found.lengths.equal(wanted.lengths)
    with torch.no_grad():
        scores = decoder(shift_right(wanted.ids, 0), memory).log_softmax(-1)
    for row, length in enumerate(wanted.lengths.tolist()):
        state = rules.begin(1)
        for step in range(min(length, 20)):  # Close to the limit less is allowed.
            allowed = rules.mask(state, wanted.ids[[row]], step)[0]
            mass = scores[row, step][allowed].logsumexp(0)
            torch.testing.assert_close(found.log_probs[row, step], wanted.log_probs[row, step] - mass)
            state = rules.advance(state, wanted.ids[row, [step]])
    torch.testing.assert_close(found.score, found.log_probs.sum(1))


def test_beams_search_among_what_is_allowed() -> None:
    """The likeliest label once probabilities are shared out among labels alone, found by weighing all of them."""
    rules, decoder, words = automaton("labels"), decoder_of(1), tokenizer()
    memory = decoder.remember(*make_memory())
    labels = [[*words.encode(name), words.end] for name in NAMES]
    scores = torch.zeros(5, len(labels), dtype=torch.float64)
    for column, label in enumerate(labels):
        ids = torch.tensor(label).expand(5, -1)
        with torch.no_grad():
            logits = decoder(shift_right(ids, 0), memory)
        state = rules.begin(5)
        for step, token in enumerate(label):
            allowed = rules.mask(state, ids, step)
            scores[:, column] += logits[:, step].masked_fill(~allowed, -torch.inf).log_softmax(-1)[:, token]
            state = rules.advance(state, ids[:, step])
    torch.testing.assert_close(scores.exp().sum(1), torch.ones(5, dtype=torch.float64))
    found = generate(decoder, memory, automaton=rules, beams=len(labels), confidence="allowed")
    torch.testing.assert_close(found.score, scores.amax(1))
    assert found.texts(words.end) == [labels[best][:-1] for best in scores.argmax(1).tolist()]


def test_what_does_not_fit_is_refused() -> None:
    decoder = decoder_of(0)
    memory = decoder.remember(*make_memory())
    with pytest.raises(InputError, match="at least 5 tokens, but only 4 fit"):
        generate(decoder, memory, automaton=automaton("box"), most=4)
    with pytest.raises(InputError, match="at least 5 tokens, but only 3 fit"):
        generate(decoder, memory, random_ids(0, 5, 17), automaton=automaton("box"))
    with pytest.raises(InputError, match="the decoder's own tokenizer"):
        generate(make_decoder(), make_decoder().remember(*make_memory()), automaton=automaton("box"))
    with pytest.raises(InputError, match="Unknown confidence"):
        generate(decoder, memory, confidence="al")


def sizes(boxes: Tensor) -> Tensor:
    return boxes[:, 2:] - boxes[:, :2]


def test_boxes_are_never_inverted() -> None:
    first, _ = tokenizer().coordinates
    decoder = decoder_of(2, scale=1.0)
    tokens, real = make_memory(40)
    answers = generate(decoder, decoder.remember(tokens, real), automaton=automaton("box"))
    boxes = answers.ids[:, :4] - first
    assert (boxes >= 0).all() and (boxes <= 20).all() and (sizes(boxes) > 0).all()
    assert len(boxes.unique(dim=0)) > 3, "all boxes are alike, so this shows little"
