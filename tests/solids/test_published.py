"""The published numbers: golden conversions, the sign trap, the mirror rule."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lichen.data.playground.solids import make_furniture, playground_solid, to_primitives
from lichen.data.playground.solids.config import SolidConfig
from lichen.errors import InputError
from lichen.solids.cuboids import Cuboids
from lichen.solids.published import (
    ANGLE,
    AXIS,
    CORNER,
    SIZE,
    Normalisation,
    completed,
    corners,
    enlarged,
    from_rows,
    mirrored,
    order,
    straddles,
    to_rows,
)
from lichen.solids.turns import about_axes, decoded, to_rotation, to_turn

from .golden import CASES, TOLERANCE, rows

CASE = CASES["cuboid.conversions"]
KEY = "prim (size 3, minimum corner 3, axis 3, angle)"


def close(one: torch.Tensor, other: object) -> None:
    torch.testing.assert_close(one, torch.tensor(other, dtype=torch.float64), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("case", CASE["cuboids"])
def test_golden_corners_mirrors_and_targets(case: dict) -> None:
    row = rows([case[KEY]])
    close(corners(row, 32)[0], case["corners_div_V"])
    assert bool(straddles(row, 32)[0]) is not case["has_mirror"]
    assert len(completed(row, 32)) == 1 + case["has_mirror"]
    if case["has_mirror"]:
        close(mirrored(row, 32)[0, 10:], case["mirror"])
    told = CASE["normalisation"]
    lengths, turns = Normalisation(told["mean_x"], told["std_x"], told["mean_r"], told["std_r"]).normalise(row)
    close(torch.cat([lengths, turns], 1)[0], case["normalised (size 3, translation 3, axis*angle 3)"])


def test_golden_rotations() -> None:
    for case in CASE["rotation_decoding"]:
        turn = torch.tensor(case["rotation"], dtype=torch.float64)
        row = Normalisation(0.0, 1.0, 0.0, 1.0).restore(torch.ones(6, dtype=torch.float64), turn)
        close(row[AXIS], case["axis"])
        close(row[ANGLE], case["angle"])
    for case in CASE["rotation_matrices"]:
        turn = torch.tensor(case["axis"], dtype=torch.float64) * case["angle"]
        # Rows times M is M transposed times columns: the sign trap.
        close(to_rotation(turn).mT, case["matrix (row vectors are multiplied from the left: p M)"])
        close(about_axes(turn), case["matrix (row vectors are multiplied from the left: p M)"])


def test_golden_2d_boxes() -> None:
    case = CASE["boxes2d_enlarged"]
    close(enlarged(torch.tensor(case["boxes"]).double(), case["factor"], case["image"]), case["result"])


def test_rows_and_back() -> None:
    torch.manual_seed(0)
    turn = decoded(torch.rand(20, 3, dtype=torch.float64) * 1.4 - 0.7)
    turn[3] = 0
    row = torch.zeros(20, 20, dtype=torch.float64)
    row[:, SIZE], row[:, CORNER] = torch.rand(20, 3).double() + 0.1, torch.rand(20, 3).double()
    row[:, AXIS], row[:, ANGLE] = (turn != 0).double(), turn.sum(1)
    torch.testing.assert_close(to_rows(from_rows(row)), row, rtol=0, atol=1e-12)
    lengths, turns = (norm := Normalisation.of(row)).normalise(row)
    back = norm.restore(lengths, turns)
    torch.testing.assert_close(from_rows(back).corners(), from_rows(row).corners(), rtol=0, atol=1e-12)


def test_two_axes_are_refused() -> None:
    both = about_axes(torch.tensor([[0.2, 0.3, 0.0]], dtype=torch.float64))
    assert not bool(to_turn(both)[1])
    one = torch.ones(1, 3, dtype=torch.float64)
    with pytest.raises(InputError, match="more than one principal axis"):
        to_rows(Cuboids(one, one, both))


def test_playground_targets_are_these_numbers() -> None:
    """The playground's own half model, its order and its mirror rule."""
    for index in (0, 8, 16, 20, 36):
        sample = playground_solid(3, index, SolidConfig(size=16))
        half = to_primitives(sample.scene)
        row = torch.zeros(len(half), 20, dtype=torch.float64)
        row[:, SIZE], row[:, CORNER] = torch.from_numpy(half.size), torch.from_numpy(half.corner)
        turn = torch.from_numpy(half.turn)
        row[:, AXIS], row[:, ANGLE] = (turn != 0).double(), turn.sum(1)
        torch.testing.assert_close(to_rows(from_rows(row)), row, rtol=0, atol=1e-9)
        assert order(row).tolist() == list(range(len(row)))
        whole = from_rows(completed(row, 32)).corners() / 32
        truth = Cuboids.of(sample.scene.solids).corners()
        assert whole.shape == truth.shape
        gaps = (whole[:, None, :, None] - truth[None, :, None]).norm(dim=-1).amin(-1).amax(-1).amin(1)
        assert float(gaps.max()) < 1e-6


def test_means_of_nothing() -> None:
    with pytest.raises(InputError, match="no primitive"):
        Normalisation.of(torch.zeros(0, 20))
    assert make_furniture(0, 0, ("chair",), 12).half and np.isfinite(
        Normalisation.of(rows([[1, 1, 1, 0, 0, 0, 0, 0, 0, 0]])).turn_deviation
    )
