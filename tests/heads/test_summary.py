"""One vector a sample: which tokens count, and what auto becomes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from lichen.backbones.features import Features
from lichen.errors import InputError
from lichen.heads.given import Given
from lichen.heads.summary import Summary

TEXT = Given("tokens", 2)
PICTURE = Given("tokens", 2, modality="image")
MAPS = Given("maps", 2, modality="image")


def text(*rows: str, anchor: list[int] | None = None) -> Features:
    """Token n of sample b is (10 b + n, -1); the rows of digits are the mask."""
    mask = torch.tensor([[digit == "1" for digit in row] for row in rows])
    first = 10.0 * torch.arange(len(rows))[:, None] + torch.arange(mask.shape[1])
    final = torch.stack([first, -torch.ones_like(first)], -1)
    return Features((), final, mask=mask, anchor=None if anchor is None else torch.tensor(anchor))


def first(vector: torch.Tensor) -> list[float]:
    return vector[:, 0].tolist()


def test_mean_is_over_real_tokens() -> None:
    features = text("1111", "1100", "0110", "0000")
    assert first(Summary(TEXT, "mean")(features)) == [1.5, 10.5, 21.5, 0.0]
    assert first(Summary(TEXT, "mean")(replace(features, mask=None)))[1] == 11.5


def test_last_is_the_last_real_token_on_either_side_of_padding() -> None:
    assert first(Summary(TEXT, "last")(text("1111", "1100", "0011", "1000"))) == [3.0, 11.0, 23.0, 30.0]
    assert first(Summary(TEXT, "last")(replace(text("1111", "1100"), mask=None))) == [3.0, 13.0]
    # CLIP's end token, where the model itself looks
    assert first(Summary(TEXT, "last")(text("1111", "1111", anchor=[2, 0]))) == [2.0, 10.0]


def test_cls_is_the_anchor_or_the_first_token() -> None:
    assert first(Summary(TEXT, "cls")(text("1111", "1100"))) == [0.0, 10.0]
    assert first(Summary(TEXT, "cls")(text("1111", "1111", anchor=[2, 1]))) == [2.0, 11.0]


def test_pictures_count_patches_only() -> None:
    # Two tokens ([CLS] and a register) before 2 x 3 patches.
    final = torch.tensor([100.0, 50.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0])[None, :, None].repeat(1, 1, 2)
    features = Features((), final, grid=(2, 3))
    assert first(Summary(PICTURE, "mean")(features)) == [3.5]
    summary = Summary(PICTURE, "cls+mean")
    assert summary.width == 4 and summary(features).tolist() == [[100.0, 100.0, 3.5, 3.5]]
    tokens, mask = summary.tokens(features)
    assert tokens[0, :, 0].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0] and mask is None


def test_pictures_without_summary_token() -> None:
    features = Features((), torch.ones(1, 6, 2), grid=(2, 3))
    assert first(Summary(PICTURE, "mean")(features)) == [1.0]
    with pytest.raises(InputError, match="first token of these features is a patch"):
        Summary(PICTURE, "cls")(features)
    with pytest.raises(InputError, match="5 tokens for a grid of 2 x 3"):
        Summary(PICTURE, "mean")(Features((), torch.ones(1, 5, 2), grid=(2, 3)))


def test_maps_count_every_position() -> None:
    final = torch.arange(12.0).reshape(1, 2, 3, 2)
    summary = Summary(MAPS)
    assert summary.pooling == "mean"
    assert summary(Features((), final, grid=(3, 2))).tolist() == [[2.5, 8.5]]


def test_pooled_is_taken_as_it_is() -> None:
    features = replace(text("11", "10"), pooled=torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    assert torch.equal(Summary(replace(TEXT, pooled=3), "pooled")(features), features.pooled)
    with pytest.raises(InputError, match="hold no pooled output"):
        Summary(replace(TEXT, pooled=3), "pooled")(text("11"))


def test_gpo_pools_real_tokens() -> None:
    summary = Summary(TEXT, "gpo")
    features = text("1111", "1100")
    vector = summary(features)
    assert 0 <= vector[0, 0] <= 3 and 10 <= vector[1, 0] <= 11
    assert torch.allclose(vector[:, 1], torch.tensor(-1.0))
    assert summary.gpo is not None and torch.equal(vector, summary.gpo(features.final, features.mask))


def test_standardise_treats_each_vector_by_itself() -> None:
    final = torch.randn(3, 7, 2, generator=torch.Generator().manual_seed(0))
    final[:, 0] *= 1000
    vector = Summary(PICTURE, "cls+mean")(Features((), final, grid=(2, 3)), standardise=True)
    for part in vector.split(2, 1):
        assert part.mean(1).abs().max() < 1e-5 and (part.var(1, correction=0) - 1).abs().max() < 0.05


@pytest.mark.parametrize("padded", [False, True])
def test_sums_of_half_precision_do_not_overflow(padded: bool) -> None:
    mask = torch.arange(210)[None] < 200 if padded else None
    final = torch.full((1, 210, 2), 1000.0, dtype=torch.float16)
    vector = Summary(TEXT, "mean")(Features((), final, mask=mask))
    assert vector.dtype == torch.float32 and vector.tolist() == [[1000.0, 1000.0]]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (TEXT, "mean"),
        (replace(TEXT, pooled=2), "mean"),
        (replace(TEXT, causal=True), "last"),
        (PICTURE, "cls+mean"),
        (replace(PICTURE, summary_token=False), "mean"),
        (MAPS, "mean"),
        (replace(MAPS, pooled=5), "pooled"),
        (replace(MAPS, pooled=5, adapted=("final",)), "mean"),
        (replace(MAPS, pooled=5, adapted=("pooled",)), "pooled"),
        (replace(PICTURE, pooled=5, projected=True), "pooled"),
        (replace(TEXT, pooled=5, projected=True, causal=True), "pooled"),
        (replace(PICTURE, pooled=5, projected=True, adapted=("final",)), "cls+mean"),
        (replace(TEXT, pooled=2, adapted=("pooled",)), "pooled"),
        (replace(TEXT, pooled=2, adapted=("final", "pooled")), "mean"),
        (Given("vector", 5, pooled=5, adapted=("final", "pooled")), "pooled"),
    ],
)
def test_auto(given: Given, wanted: str) -> None:
    assert Summary(given).pooling == wanted


@pytest.mark.parametrize(
    ("given", "pooling", "sentence"),
    [
        (TEXT, "pooled", "none arrives"),
        (MAPS, "cls", "gives maps"),
        (MAPS, "last", "gives maps"),
        (Given("vector", 5, pooled=5), "mean", "gives one vector a sample"),
        (Given("vector", 5, pooled=5), "gpo", "gives one vector a sample"),
        (replace(PICTURE, summary_token=False), "cls+mean", "needs a .CLS. token"),
        (replace(MAPS, pooled=5, adapted=("pooled",)), "mean", "never be trained. Choose 'pooled'"),
        (replace(TEXT, pooled=2, adapted=("final",)), "pooled", "never be trained. Choose 'mean'"),
    ],
)
def test_poolings_that_cannot_be(given: Given, pooling: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Summary(given, pooling)  # type: ignore[arg-type]


def test_unknown_pooling(unchecked: None) -> None:
    with pytest.raises(InputError, match="Did you mean 'cls\\+mean'"):
        Summary(TEXT, "cls-mean")  # type: ignore[arg-type]


def test_another_width_than_built_for() -> None:
    with pytest.raises(InputError, match="is 3 wide; this head was built for 2"):
        Summary(TEXT, "mean")(Features((), torch.ones(1, 4, 3)))


@settings(max_examples=50, deadline=None)
@for_all(
    st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=4),
    st.sampled_from(["mean", "last"]),
)
def test_any_mask_against_the_definition(rows: list[list[bool]], pooling: str) -> None:
    mask = torch.tensor(rows)
    final = torch.randn(len(rows), 5, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = Summary(TEXT, pooling)(Features((), final, mask=mask))  # type: ignore[arg-type]
    for row, real in enumerate(rows):
        tokens = [final[row, position] for position in range(5) if real[position]]
        if pooling == "mean":
            wanted = sum(tokens) / len(tokens) if tokens else torch.zeros(2, dtype=torch.float64)
        else:
            wanted = tokens[-1] if tokens else final[row, 0]
        assert torch.allclose(found[row], wanted, atol=1e-12)
