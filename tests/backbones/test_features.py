"""Batches of features are joined, cut and chosen from without a change of what they say."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.backbones.backbone import Backbone
from lichen.backbones.features import Features
from lichen.errors import InputError

from ..families import make_inputs, make_trunk

WIDTH = 4


def texts(lengths: Sequence[int], seed: int = 0, mask: bool = True) -> Features:
    """A padded batch, as a pass leaves it."""
    longest = max(lengths)
    real = torch.arange(longest) < torch.tensor(lengths)[:, None]
    state = torch.randn(len(lengths), longest, WIDTH, generator=torch.Generator().manual_seed(seed)) * real[..., None]
    pooled, anchor = state.sum(1), torch.tensor(lengths) - 1
    return Features((state, 2 * state), 3 * state, real if mask else None, None, pooled, anchor, (0, 1))


def maps(count: int, side: int = 2) -> Features:
    return Features((torch.randn(count, WIDTH, side, side),), torch.randn(count, WIDTH, side, side), grid=(side, side))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=3), min_size=1, max_size=4))
def test_joined_texts_keep_every_row_and_are_padded_with_zeros(batches: list[list[int]]) -> None:
    parts = [texts(lengths, seed) for seed, lengths in enumerate(batches)]
    joined = Features.cat(parts)
    lengths = [length for batch in batches for length in batch]
    assert joined.final.shape == (len(lengths), max(lengths), WIDTH)
    assert joined.mask is not None and joined.mask.sum(1).tolist() == lengths
    assert joined.indices == (0, 1) and joined.anchor is not None and joined.pooled is not None
    row = 0
    for part in parts:
        tokens = part.final.shape[1]
        for number in range(len(part.final)):
            for mine, theirs in zip((*joined.states, joined.final), (*part.states, part.final), strict=True):
                assert torch.equal(mine[row, :tokens], theirs[number])
                assert not mine[row, tokens:].any()
            assert torch.equal(joined.pooled[row], part.pooled[number])  # type: ignore[index]
            assert joined.anchor[row] == part.anchor[number]  # type: ignore[index]
            row += 1


def test_a_mask_appears_only_where_there_is_padding() -> None:
    whole, longer = texts([3, 3], mask=False), texts([5], mask=False)
    assert Features.cat([whole, whole]).mask is None
    assert Features.cat([maps(2), maps(1)]).mask is None
    joined = Features.cat([whole, longer])
    assert joined.mask is not None and joined.mask.sum(1).tolist() == [3, 3, 5]
    mixed = Features.cat([texts([3, 2]), texts([3], mask=False)])
    assert mixed.mask is not None and mixed.mask.sum(1).tolist() == [3, 2, 3]


def test_one_part_is_handed_back_as_it_is() -> None:
    part = texts([2, 3])
    assert Features.cat([part]).final is part.final


def test_maps_are_joined_along_the_batch() -> None:
    one, other = maps(2), maps(3)
    joined = Features.cat([one, other])
    assert joined.grid == (2, 2) and joined.is_maps
    assert torch.equal(joined.final, torch.cat([one.final, other.final]))
    assert torch.equal(joined.states[0], torch.cat([one.states[0], other.states[0]]))


def test_what_cannot_be_joined_is_refused() -> None:
    part = texts([2, 3])
    with pytest.raises(InputError, match="no features to join"):
        Features.cat([])
    for other in (part.select((1,)), maps(2)):
        with pytest.raises(InputError, match="same hidden states on the same grid"):
            Features.cat([part, other])
    with pytest.raises(InputError, match="same hidden states on the same grid"):
        Features.cat([maps(1), maps(1, side=3)])
    bare = Features(part.states, part.final, part.mask, indices=part.indices)
    with pytest.raises(InputError, match="all have, or all lack, pooled output and anchor"):
        Features.cat([part, bare])


def test_states_are_chosen_by_their_number_in_the_backbone() -> None:
    part = Features((torch.zeros(1, 2, 3), torch.ones(1, 2, 3)), torch.ones(1, 2, 3), indices=(2, 5))
    chosen = part.select((5,))
    assert chosen.indices == (5,) and torch.equal(chosen.states[0], part.states[1])
    with pytest.raises(InputError, match=r"\[3\] are wanted, but these features hold \(2, 5\)"):
        part.select((3,))
    with pytest.raises(InputError, match="hold None"):
        Features(part.states, part.final).select((2,))


def test_numbers_and_rows_must_fit_the_states() -> None:
    state = torch.zeros(2, 3, 4)
    with pytest.raises(InputError, match="There are 1 hidden states but 2 numbers"):
        Features((state,), state, indices=(0, 1))


@pytest.mark.parametrize("family", ["bert", "vit", "dinov2", "swin", "resnet", "convnext"])
def test_a_summary_is_made_again_from_features(family: str) -> None:
    backbone = Backbone(make_trunk(family))
    features = backbone(**make_inputs(backbone.model))
    assert features.pooled is not None
    assert torch.allclose(backbone.summarise(features), features.pooled, atol=1e-6)


@pytest.mark.parametrize(("family", "part"), [("clip", "text"), ("clip", "vision"), ("siglip", "vision")])
def test_a_summary_of_a_tower_is_its_projected_embedding(family: str, part: str) -> None:
    model = make_trunk(family)
    inputs = make_inputs(model)
    given = {"pixel_values": inputs.pop("pixel_values")} if part == "vision" else inputs
    given.pop("pixel_values", None) if part == "text" else None
    for backbone in (Backbone(model, part=part), Backbone(model)):
        features = backbone(**given)
        assert features.pooled is not None
        assert torch.allclose(backbone.summarise(features), features.pooled, atol=1e-6)


def test_a_model_without_a_summary_has_none_to_make() -> None:
    backbone = Backbone(make_trunk("llama"))
    with pytest.raises(InputError, match="The backbone of LlamaModel has no summary vector"):
        backbone.summarise(backbone(**make_inputs(backbone.model)))
