"""Scores of labels against a loop over labels, and against constrained decoding."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lichen.errors import InputError
from lichen.heads.decoder import scoring
from lichen.heads.decoder.decoder import TextDecoder
from lichen.heads.decoder.generation import generate
from lichen.heads.decoder.labels import Labels
from lichen.heads.decoder.scoring import score
from lichen.heads.decoder.teaching import log_likelihood
from lichen.language.automaton import Automaton

from .grammars import NAMES, automaton, tokenizer
from .tiny import ids_of, make_decoder, make_memory

LABELS = [[4, 5, 1], [4, 1], [6, 7, 8, 1], [6, 7, 1], [9, 1], [4, 5, 5, 1], [22, 3, 1]]
PROMPTS = ids_of([[5, 6, 7], [8], [9, 10, 11, 12], [4, 4], [13, 14, 15, 16, 17]])


def one_by_one(
    decoder: TextDecoder, tokens: Tensor, real: Tensor, labels: list[list[int]], prompts: list[list[int]]
) -> Tensor:
    """Every label for every picture by itself, with its prompt in front."""
    found = torch.zeros(len(tokens), len(labels), dtype=torch.float64)
    for row in range(len(tokens)):
        for column, label in enumerate(labels):
            text = torch.tensor([[*prompts[row], *label]])
            weights = torch.ones(text.shape)
            weights[:, : len(prompts[row])] = 0
            memory = decoder.remember(tokens[[row]], real[[row]])
            found[row, column] = log_likelihood(decoder, memory, text, weights)[0]
    return found


@pytest.mark.parametrize("prompted", [False, True])
@torch.no_grad()
def test_scores_are_those_of_a_loop(prompted: bool) -> None:
    decoder = make_decoder()
    tokens, real = make_memory()
    memory = decoder.remember(tokens, real)
    prompts = [[id for id in row if id] if prompted else [] for row in PROMPTS.tolist()]
    wanted = one_by_one(decoder, tokens, real, LABELS, prompts)
    given = PROMPTS if prompted else None
    for labels in (LABELS, Labels.of(LABELS, 23), Labels.of(LABELS, 23, nodes=2)):
        torch.testing.assert_close(score(decoder, memory, labels, given), wanted)
    lengths = torch.tensor([len(label) for label in LABELS])
    torch.testing.assert_close(score(decoder, memory, LABELS, given, reduce="mean"), wanted / lengths)


@torch.no_grad()
def test_scores_do_not_depend_on_grouping_or_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = make_decoder()
    tokens, real = make_memory(2)
    picture = torch.tensor([1, 0, 1, 1, 0])
    wanted = score(decoder, decoder.remember(tokens[picture], real[picture]), LABELS, PROMPTS)
    monkeypatch.setattr(scoring, "LOGITS", 50)
    found = score(decoder, decoder.remember(tokens, real), LABELS, PROMPTS, picture=picture)
    torch.testing.assert_close(found, wanted)


def choice(labels: list[int], vocabulary: int, end: int) -> Automaton:
    """A trie of one level: one of some tokens, then the end."""
    allowed = torch.zeros(3, vocabulary, dtype=torch.bool)
    allowed[0, labels], allowed[1:, end] = True, True
    following = torch.full((3, vocabulary), 2)
    following[0, labels] = 1
    return Automaton(allowed, following, 0, torch.zeros(3, dtype=torch.long), None, end)


@pytest.mark.parametrize("seed", range(4))
def test_scoring_is_constrained_greedy_where_labels_are_one_token(seed: int) -> None:
    decoder = make_decoder(seed)
    memory = decoder.remember(*make_memory())
    tokens = [4, 6, 9, 20, 22]
    best = score(decoder, memory, [[token] for token in tokens]).argmax(1)
    answers = generate(decoder, memory, automaton=choice(tokens, 23, 1))
    assert answers.ids[:, 0].tolist() == [tokens[place] for place in best.tolist()]
    assert answers.finished.all() and len(best.unique()) > 1


@pytest.mark.parametrize("seed", range(3))
def test_scoring_is_a_constrained_search_that_drops_nothing(seed: int) -> None:
    words = tokenizer()
    decoder = make_decoder(seed, vocabulary=words.vocabulary, pad=words.pad, end=words.end, context=20)
    memory = decoder.remember(*make_memory())
    labels = [[*words.encode(name), words.end] for name in NAMES]
    scores = score(decoder, memory, labels)
    for ending in ("ranked", "always"):
        answers = generate(decoder, memory, automaton=automaton("labels"), beams=len(NAMES), ending=ending)
        assert answers.texts(words.end) == [labels[best][:-1] for best in scores.argmax(1).tolist()]
        torch.testing.assert_close(answers.score, scores.amax(1))


def test_what_does_not_fit_is_refused() -> None:
    decoder = make_decoder()
    memory = decoder.remember(*make_memory())
    with pytest.raises(InputError, match="9 tokens behind a prompt of 5 does not fit into a context of 12"):
        score(decoder, memory, [[4] * 9], PROMPTS)
    assert score(decoder, memory, [[4] * 7], PROMPTS).isfinite().all()
    with pytest.raises(InputError, match="Unknown reduction"):
        score(decoder, memory, LABELS, reduce="max")
