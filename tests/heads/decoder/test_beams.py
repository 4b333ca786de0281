"""Beam search against greedy decoding, against all texts there are, and against its two rules written out."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch

from lichen.heads.decoder.answers import Answers
from lichen.heads.decoder.beams import beam_search
from lichen.heads.decoder.constraint import Constraint
from lichen.heads.decoder.decoder import TextDecoder
from lichen.heads.decoder.generation import generate
from lichen.heads.decoder.memory import Memory
from lichen.heads.decoder.prompts import begin
from lichen.heads.decoder.teaching import log_likelihood

from .tiny import ids_of, make_decoder, make_memory, random_ids


def search(decoder: TextDecoder, memory: Memory, beams: int, most: int, ending: str = "ranked") -> Answers:
    """Beam search itself, with any number of beams."""
    begun = begin(decoder, memory, None, None, most)
    with torch.no_grad():
        return beam_search(decoder, begun, Constraint(decoder, None, begun.limits), most, beams, ending)


@pytest.mark.parametrize("seed", [1, 2, 4])
def test_one_beam_is_greedy(seed: int) -> None:
    decoder = make_decoder(seed, ends=1.0)
    memory = decoder.remember(*make_memory())
    greedy, one = generate(decoder, memory), search(decoder, memory, 1, 12)
    assert one.ids.equal(greedy.ids) and one.finished.equal(greedy.finished) and one.lengths.equal(greedy.lengths)
    torch.testing.assert_close(one.log_probs, greedy.log_probs)
    torch.testing.assert_close(one.score, greedy.score)


@pytest.mark.parametrize("ending", ["ranked", "always"])
@pytest.mark.parametrize("seed", [0, 1])
def test_enough_beams_find_the_likeliest_of_all_texts(seed: int, ending: str) -> None:
    """Five tokens and at most four of them: 0 is padding, 1 the end; every finished text is weighed."""
    decoder = make_decoder(seed, vocabulary=5, context=6)
    memory = decoder.remember(*make_memory(3))
    texts = [[*words, 1] for length in range(4) for words in product((2, 3, 4), repeat=length)]
    labels = ids_of(texts)
    found = search(decoder, memory, 200, 4, ending)
    for row in range(3):
        picture = torch.full((len(texts),), row)
        with torch.no_grad():
            scores = log_likelihood(decoder, memory, labels, picture=picture)
        best = int(scores.argmax())
        assert found.ids[row, : int(found.lengths[row])].tolist() == texts[best]
        torch.testing.assert_close(found.score[row], scores[best])
        assert found.finished[row]


def by_definition(decoder: TextDecoder, memory: Memory, row: int, beams: int, most: int, ending: str) -> tuple:
    """One row, candidates in plain lists, nothing cached: the best finished text and its score."""
    live, best = [((), 0.0)], ((), -math.inf)
    for _ in range(most):
        candidates = []
        for text, score in live:
            ids = torch.tensor([[0, *text]])
            with torch.no_grad():
                scores = decoder(ids, memory.select(slice(row, row + 1)))[0, -1].log_softmax(-1)
            candidates += [((*text, id), score + float(scores[id])) for id in range(1, len(scores))]
        candidates.sort(key=lambda each: -each[1])
        ended = [
            each for place, each in enumerate(candidates) if each[0][-1] == 1 and (ending == "always" or place < beams)
        ]
        best = max([best, *ended], key=lambda each: each[1])
        live = [each for each in candidates if each[0][-1] != 1][:beams]
        if best[1] >= live[0][1]:
            return best
    return best if best[0] else live[0]


@pytest.mark.parametrize("ending", ["ranked", "always"])
@pytest.mark.parametrize(("seed", "ends"), [(0, 1.0), (8, 0.0)])
def test_beams_follow_the_rule(seed: int, ends: float, ending: str) -> None:
    """With seed 8 a row whose worst beam cannot win any more still has one that can."""
    decoder = make_decoder(seed, ends=ends)
    memory = decoder.remember(*make_memory())
    found = search(decoder, memory, 3, 8, ending)
    for row in range(5):
        text, score = by_definition(decoder, memory, row, 3, 8, ending)
        assert found.ids[row, : int(found.lengths[row])].tolist() == list(text)
        assert found.score[row].item() == pytest.approx(score)
        assert bool(found.finished[row]) == (text[-1] == 1)


def test_the_two_rules_differ_and_always_ends_earlier() -> None:
    lengths = {}
    for ending in ("ranked", "always"):
        total = 0
        for seed in range(3):
            decoder = make_decoder(seed, ends=1.0)
            memory = decoder.remember(*make_memory())
            total += int(search(decoder, memory, 3, 8, ending).lengths.sum())
        lengths[ending] = total
    assert lengths["always"] < lengths["ranked"]


def test_confidences_are_those_of_the_text_that_is_returned() -> None:
    decoder = make_decoder(2, ends=1.0)
    memory = decoder.remember(*make_memory())
    prompts = random_ids(4, 5, 2)
    found = generate(decoder, memory, prompts, beams=4)
    labels = torch.cat([prompts, found.ids[:, : int(found.lengths.max())]], 1)
    weights = torch.ones(labels.shape)
    weights[:, :2] = 0
    with torch.no_grad():
        wanted = log_likelihood(decoder, memory, labels[:, :12], weights[:, :12])
    torch.testing.assert_close(found.score, wanted)
    torch.testing.assert_close(found.log_probs.sum(1), found.score)
