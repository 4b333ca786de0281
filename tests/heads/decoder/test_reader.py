"""From features to the tokens that a decoder looks at."""

from __future__ import annotations

import pytest
import torch

from lichen.backbones.features import Features
from lichen.errors import InputError
from lichen.heads.decoder.reader import MemoryConfig, MemoryReader
from lichen.heads.given import Given
from lichen.side.config import UniPTConfig
from lichen.side.unipt import UniPT

from .tiny import draw

TOKENS, MAPS = Given("tokens", 8, modality="image"), Given("maps", 6, modality="image")


def tokens_of(rows: int = 2) -> Features:
    """A class token and 2 x 3 patches, with two hidden states."""
    final = draw(0, rows, 7, 8)
    return Features((draw(1, rows, 7, 8), final), final, grid=(2, 3), indices=(4, 12))


def maps_of(rows: int = 2) -> Features:
    final = draw(2, rows, 6, 3, 2)
    return Features((final,), final, grid=(3, 2), indices=(5,))


def test_tokens_come_as_they_are_with_the_class_token() -> None:
    reader, features = MemoryReader(TOKENS), tokens_of()
    tokens, mask = reader(features)
    assert tokens is features.final and mask is None and reader.width == 8
    assert not list(reader.parameters())


def test_maps_are_flattened_row_by_row() -> None:
    tokens, mask = MemoryReader(MAPS)(maps_of())
    assert tokens.shape == (2, 6, 6) and mask is None
    assert torch.equal(tokens[1, 2 * 2 + 1], maps_of().final[1, :, 2, 1])


def test_another_state_can_be_read() -> None:
    features = tokens_of()
    reader = MemoryReader({"image": TOKENS}, MemoryConfig(state=4), {"image": 8})
    assert torch.equal(reader({"image": features})[0], features.states[0])
    with pytest.raises(InputError, match="Hidden states"):
        MemoryReader(TOKENS, MemoryConfig(state=3), {"": 8})(features)
    with pytest.raises(InputError, match="how wide hidden state 4 is"):
        MemoryReader(TOKENS, MemoryConfig(state=4))


def test_tokens_can_be_standardised() -> None:
    tokens, _ = MemoryReader(MAPS, MemoryConfig(standardise=True))(maps_of())
    torch.testing.assert_close(tokens.mean(-1), torch.zeros(2, 6, dtype=torch.float64), atol=1e-9, rtol=0)
    torch.testing.assert_close(tokens.var(-1, unbiased=False), torch.ones(2, 6, dtype=torch.float64), atol=1e-3, rtol=0)


def test_positions_tell_rows_from_columns_and_leave_the_class_token_alone() -> None:
    features = tokens_of()
    tokens, _ = MemoryReader(TOKENS, MemoryConfig(positions=True))(features)
    added = (tokens - features.final)[0]
    assert not added[0].any()
    table = added[1:].unflatten(0, (2, 3))
    # The first half of the channels tells the row, the second the column.
    assert torch.allclose(table[0, 0, :4], table[0, 2, :4]) and not torch.allclose(table[0, 0, :4], table[1, 0, :4])
    assert torch.allclose(table[0, 1, 4:], table[1, 1, 4:]) and not torch.allclose(table[0, 0, 4:], table[0, 1, 4:])
    torch.testing.assert_close(table[1, 0, 0].item(), float(torch.sin(torch.tensor(1.0))), atol=1e-6, rtol=0)
    ungridded = Features((), draw(0, 2, 5, 8), grid=None)
    with pytest.raises(InputError, match="positions=False"):
        MemoryReader(TOKENS, MemoryConfig(positions=True))(ungridded)


def test_several_backbones_stand_behind_each_other() -> None:
    torch.manual_seed(0)
    reader = MemoryReader({"vit": TOKENS, "cnn": MAPS}).double()
    text = draw(3, 2, 4, 8)
    mask = torch.tensor([[True, True, False, False], [True] * 4])
    tokens, real = reader({"vit": Features((), text, mask=mask), "cnn": maps_of()})
    assert tokens.shape == (2, 10, 8) and real is not None
    assert real[0].tolist() == [True, True, False, False] + [True] * 6 and real[1].all()
    linear = reader.projections["cnn"]
    torch.testing.assert_close(tokens[:, 4:], linear(MemoryReader(MAPS)(maps_of())[0]))
    with pytest.raises(InputError, match=r"\['cnn'\] are missing"):
        reader({"vit": tokens_of()})
    with pytest.raises(InputError, match="missing"):
        reader(tokens_of())


def test_adapted_features_are_read_with_a_gradient_to_the_side_network() -> None:
    features = tokens_of()
    side = UniPT(UniPTConfig(reduction=2), (8, 8)).double()
    tokens, _ = MemoryReader(Given("tokens", 8, adapted=("final",)))(side(features))
    tokens.square().sum().backward()
    assert any(each.grad is not None and each.grad.any() for each in side.parameters())


@pytest.mark.parametrize(
    ("given", "config", "message"),
    [
        (Given("vector", 8, pooled=8), MemoryConfig(), "one vector a sample"),
        (Given("tokens", 8, pooled=8, adapted=("pooled",)), MemoryConfig(), "never be trained"),
        (Given("tokens", 8, adapted=("final",)), MemoryConfig(state=4), "never be trained"),
    ],
)
def test_what_would_not_be_trained_is_refused(given: Given, config: MemoryConfig, message: str) -> None:
    with pytest.raises(InputError, match=message):
        MemoryReader(given, config)


def test_features_of_another_width_are_refused() -> None:
    with pytest.raises(InputError, match="8 channels are expected"):
        MemoryReader(TOKENS)(Features((), draw(0, 2, 4, 5)))
    with pytest.raises(InputError, match="at least one backbone"):
        MemoryReader({})
