"""The Fourier embedding equals released code in order and value."""

from __future__ import annotations

import torch

from lichen.regions import fourier_embedding

from .naive import GOLDEN, double


def test_released_code() -> None:
    golden = GOLDEN["fourier"]
    found = fourier_embedding(double(golden["boxes"]))
    torch.testing.assert_close(found, double(golden["code"]["values"]), rtol=0, atol=1e-8)


def test_order_and_shape() -> None:
    boxes = torch.rand(2, 3, 4, dtype=torch.float64)
    found = fourier_embedding(boxes, frequencies=3, base=10)
    assert found.shape == (2, 3, 24)
    for k in range(3):
        angle = boxes * 10 ** (k / 3)
        torch.testing.assert_close(found[..., 8 * k : 8 * k + 4], angle.sin())
        torch.testing.assert_close(found[..., 8 * k + 4 : 8 * k + 8], angle.cos())
    assert fourier_embedding(boxes.float()).dtype == torch.float32
