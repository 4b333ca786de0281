"""The choice of tokens, against its definition written out sample by sample."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lichen.backbones.features import Features
from lichen.errors import InputError
from lichen.features.config import StoreConfig
from lichen.features.tokens import choose_tokens, lengths_of

LENGTHS = (5, 2, 7, 1)


def texts(anchor: bool = False) -> Features:
    mask = torch.arange(7) < torch.tensor(LENGTHS)[:, None]
    states = tuple(torch.randn(4, 7, 3).masked_fill(~mask[..., None], 0) for _ in range(2))
    last = torch.tensor(LENGTHS) - 1
    return Features(states, final=torch.randn(4, 7, 3), mask=mask, anchor=last if anchor else None, indices=(0, 2))


def pictures(prefix: int = 2) -> Features:
    states = tuple(torch.randn(3, prefix + 6, 4) for _ in range(2))
    return Features(states, final=states[-1], grid=(2, 3), indices=(0, 1))


def choose(features: Features, tokens: str, causal: bool = False) -> Features:
    return choose_tokens(features, StoreConfig(tokens=tokens), causal=causal)


def real(features: Features, state: Tensor, sample: int) -> Tensor:
    return state[sample, : int(lengths_of(features)[sample])]


def test_all_is_what_came() -> None:
    features = texts()
    assert choose(features, "all") is features


def test_pooled_is_the_mean_of_the_real_tokens() -> None:
    features = texts()
    chosen = choose(features, "pooled")
    assert chosen.mask is None and chosen.grid is None and chosen.indices == (0, 2)
    for state, found in zip((*features.states, features.final), (*chosen.states, chosen.final), strict=True):
        for sample in range(4):
            expected = real(features, state, sample).mean(0, keepdim=True)
            assert torch.equal(found[sample], expected)


@pytest.mark.parametrize(("anchor", "causal"), [(False, False), (True, False), (False, True)])
def test_cls_and_pooled(anchor: bool, causal: bool) -> None:
    features = texts(anchor)
    chosen = choose(features, "cls+pooled", causal)
    for sample, length in enumerate(LENGTHS):
        place = length - 1 if anchor or causal else 0
        assert torch.equal(chosen.final[sample, 0], features.final[sample, place])
        assert torch.equal(chosen.final[sample, 1], real(features, features.final, sample).mean(0))
    assert (chosen.anchor is None) is not anchor
    if chosen.anchor is not None:
        assert chosen.anchor.tolist() == [0] * 4 and chosen.anchor.dtype == torch.int64


def test_every_third_token_of_a_text_from_the_first_on() -> None:
    features = texts()
    chosen = choose(features, "every-3")
    assert lengths_of(chosen).tolist() == [2, 1, 3, 1] and chosen.final.shape == (4, 3, 3)
    for sample in range(4):
        assert torch.equal(real(chosen, chosen.states[1], sample), real(features, features.states[1], sample)[::3])
        assert bool((chosen.states[1][sample, int(lengths_of(chosen)[sample]) :] == 0).all())


def test_the_summary_token_stays_and_is_found_again() -> None:
    features = texts(anchor=True)
    chosen = choose(features, "every-4")
    assert lengths_of(chosen).tolist() == [2, 2, 3, 1] and chosen.anchor is not None
    for sample, length in enumerate(LENGTHS):
        place = int(chosen.anchor[sample])
        assert torch.equal(chosen.final[sample, place], features.final[sample, length - 1])


def test_every_second_patch_and_what_stands_before_them() -> None:
    features = pictures()
    chosen = choose(features, "every-2")
    assert torch.equal(chosen.states[0], features.states[0][:, [0, 1, 2, 4, 6]])
    assert chosen.grid is None and chosen.mask is None and chosen.final is chosen.states[-1]
    with pytest.raises(InputError, match="too few for its grid"):
        choose(replace(features, grid=(4, 4)), "every-2")


def test_maps_have_a_mean_and_nothing_else() -> None:
    states = (torch.randn(2, 4, 3, 3), torch.randn(2, 6, 2, 2))
    features = Features(states, final=states[-1], grid=(2, 2), indices=(0, 1))
    chosen = choose(features, "pooled")
    assert chosen.grid == (1, 1) and chosen.is_maps
    assert torch.equal(chosen.states[0], states[0].mean((2, 3), keepdim=True))
    for tokens in ("cls+pooled", "every-2"):
        with pytest.raises(InputError, match="maps have no tokens="):
            choose(features, tokens)


@pytest.mark.parametrize("tokens", ["pooled", "cls+pooled", "every-2"])
def test_a_choice_does_not_depend_on_the_batch(tokens: str) -> None:
    features = texts(anchor=True)
    whole = choose(features, tokens)
    for sample, length in enumerate(LENGTHS):
        alone = Features(
            tuple(state[sample : sample + 1, :length] for state in features.states),
            final=features.final[sample : sample + 1, :length],
            anchor=None if features.anchor is None else features.anchor[sample : sample + 1],
            indices=features.indices,
        )
        chosen = choose(alone, tokens)
        assert torch.equal(real(chosen, chosen.states[0], 0), real(whole, whole.states[0], sample))


def test_padding_between_tokens_is_refused() -> None:
    mask = torch.tensor([[True, False, True]])
    features = Features((), final=torch.zeros(1, 3, 2), mask=mask)
    with pytest.raises(InputError, match="before or between real tokens"):
        lengths_of(features)
