"""Features as maps: the patches alone, in their places."""

from __future__ import annotations

import pytest
import torch

from lichen.errors import InputError
from lichen.heads.maps import as_map

TOKENS = torch.arange(2 * 7 * 3, dtype=torch.float32).reshape(2, 7, 3)


def test_the_last_tokens_are_the_patches() -> None:
    maps = as_map(TOKENS, (2, 3))
    assert maps.shape == (2, 3, 2, 3)
    # The first token is no patch.
    assert torch.equal(maps[1, :, 0, 0], TOKENS[1, 1]) and torch.equal(maps[1, :, 1, 2], TOKENS[1, 6])
    assert torch.equal(maps[0, :, 1, 0], TOKENS[0, 4])
    assert as_map(maps, None) is maps


def test_what_is_no_map() -> None:
    with pytest.raises(InputError, match=r"3 x 3 patches lacks 2 tokens. A store for boxes keeps all"):
        as_map(TOKENS, (3, 3))
    for state in (TOKENS, TOKENS[:, 0]):
        with pytest.raises(InputError, match="a map or a grid of patches, and these features have none"):
            as_map(state, None if state.ndim == 3 else (1, 1))
