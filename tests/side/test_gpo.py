"""The GPO pooling head: golden values, count, masks."""

from __future__ import annotations

import pytest
import torch

from lichen.errors import InputError
from lichen.side.gpo import GPO, position_codes

from .golden import check, count, inp, load, mask


def golden_head() -> GPO:
    head = GPO(code=4, hidden=4)
    load(head, "GPO", "gpo")
    return head


def test_golden() -> None:
    head = golden_head()
    check("GPO", head(inp(0, 2, 5, 3), mask("11111", "11100")), 1e-8)
    check("GPO.weights", head.weights(torch.tensor([5, 3]), 5).unsqueeze(-1), 1e-8)


def test_count_at_published_size() -> None:
    with torch.device("meta"):
        assert count(GPO()) == 12_704


def test_masks() -> None:
    head, features = golden_head(), inp(0, 2, 5, 3)
    torch.testing.assert_close(head(features), head(features, mask("11111", "11111")))
    valid = mask("11111", "11100")
    noisy = torch.where(valid[..., None], features, 1e6)
    torch.testing.assert_close(head(noisy, valid), head(features, valid))
    torch.testing.assert_close(head(features, valid)[1:], head(features[1:, :3]))
    # order does not matter, so neither does the side on which padding stands
    torch.testing.assert_close(head(features.flip(1), valid.flip(1)), head(features, valid))
    # values below the score of a hidden position still outrank padding
    torch.testing.assert_close(head(features - 1e6, valid)[1:], head(features[1:, :3] - 1e6))
    assert not head(features, mask("11111", "00000"))[1].any()


def test_gradients_are_finite() -> None:
    head, features = golden_head(), inp(0, 2, 5, 3).requires_grad_()
    head(features, mask("11111", "11100")).square().sum().backward()
    assert features.grad is not None and features.grad.isfinite().all() and not features.grad[1, 3:].any()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in head.parameters())


def test_codes() -> None:
    codes = position_codes(4, 6, torch.device("cpu"))
    assert codes.dtype == torch.float32
    assert codes[3, 2] == pytest.approx(torch.tensor(3 * 10000 ** (-2 / 6)).sin().item(), abs=1e-6)
    assert codes[3, 5] == pytest.approx(torch.tensor(3 * 10000 ** (-4 / 6)).cos().item(), abs=1e-6)
    with pytest.raises(InputError, match="even"):
        GPO(code=5)
