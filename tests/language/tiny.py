"""Small tokenizers and random walks that the tests of this folder share."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from lichen.language import Automaton, Tokenizer, box_code
from lichen.regions import CODES, Code

TEXTS = [
    "a cat on a mat : two dogs ; a tiger",
    "how many tigers are there ? 12",
    "the tiger shark to the left of the red boat",
    "grüße 日本",
] * 3
CODES_HERE: dict[str, Code] = {
    "tokens": box_code(),
    "few bins": box_code(bins=4, order="yxyx"),
    "lbrt": box_code(bins=20, order="lbrt"),
    "text": box_code("text", bins=60),
    **CODES,
}
"""All formats; the text of `locca` makes two that are spelt with ordinary tokens."""
TOKENS = [name for name in CODES_HERE if name not in ("text", "locca")]
SIZE = torch.tensor([[640.0, 480.0]], dtype=torch.float64)


@cache
def learned(name: str | None) -> Tokenizer:
    """A tokenizer of few words with the boxes of a format."""
    return Tokenizer.learn(TEXTS, 290, None if name is None else CODES_HERE[name])


def walk(automaton: Automaton, rows: int, steps: int, seed: int, eager: float) -> list[list[int]]:
    """Random answers, by the batched methods alone; those without an end after so many steps are left out.

    Args:
        automaton: that says what may come.
        rows: answers to begin.
        steps: tokens at most.
        seed: of chance.
        eager: how much more likely the end and the rarer half of tokens are than others.
    """
    generator = torch.Generator().manual_seed(seed)
    bonus = torch.zeros(automaton.vocabulary)
    bonus[automaton.allowed.sum(0) < automaton.allowed.sum(0).max()] = eager
    bonus[automaton.end] = eager
    state = automaton.begin(rows)
    tokens = torch.zeros(rows, steps, dtype=torch.long)
    for place in range(steps):
        allowed = automaton.mask(state, tokens, place)
        assert allowed.any(1).all()
        token = pick(allowed, bonus, generator)
        tokens[:, place] = token
        state = automaton.advance(state, token)
    answers = []
    for row in tokens.tolist():
        if automaton.end in row:
            answers.append(row[: row.index(automaton.end) + 1])
    return answers


def pick(allowed: Tensor, bonus: Tensor, generator: torch.Generator) -> Tensor:
    """One allowed token a row."""
    chance = -torch.log(-torch.log(torch.rand(allowed.shape, generator=generator)))
    return torch.where(allowed, chance + bonus, -torch.inf).argmax(1)


def boxes(count: int, seed: int = 0, side: float = 200.0) -> Tensor:
    """Boxes in a picture of 640 by 480, some of them thinner than any bin."""
    generator = torch.Generator().manual_seed(seed)
    sides = 0.01 + side * torch.rand(count, 2, generator=generator, dtype=torch.float64) ** 4
    low = torch.rand(count, 2, generator=generator, dtype=torch.float64) * (SIZE - sides)
    return torch.cat([low, low + sides], 1)
