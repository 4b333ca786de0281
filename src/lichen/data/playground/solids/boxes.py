"""`Boxes`: the solids of an object as arrays, and what follows from their geometry alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from ....scene import Solid
from ....scene.geometry import corners


@dataclass(frozen=True, eq=False)
class Boxes:
    """Cuboids."""

    centre: Float64[np.ndarray, "boxes 3"]
    half: Float64[np.ndarray, "boxes 3"]
    """Half lengths along the own axes."""
    rotation: Float64[np.ndarray, "boxes 3 3"]
    """Columns are the own axes in the world."""
    corners: Float64[np.ndarray, "boxes 8 3"]

    @classmethod
    def of(cls, solids: Sequence[Solid]) -> Boxes:
        """The arrays of solids."""
        return cls(
            np.array([solid.centre for solid in solids], np.float64).reshape(-1, 3),
            np.array([solid.size for solid in solids], np.float64).reshape(-1, 3) / 2,
            np.array([solid.rotation for solid in solids], np.float64).reshape(-1, 3, 3),
            corners(solids),
        )

    def __len__(self) -> int:
        return len(self.centre)
