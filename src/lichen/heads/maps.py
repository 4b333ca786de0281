"""What a backbone or side network left of a picture, as a map in which boxes can be looked at."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from ..side.ops import to_maps


def as_map(
    state: Float[Tensor, "pictures ..."], grid: tuple[int, int] | None
) -> Float[Tensor, "pictures width rows columns"]:
    """A hidden state or final output as a map; tokens before the patches are left out.

    Args:
        state: (pictures, width, rows, columns), which is returned as it is, or (pictures, tokens, width).
        grid: rows and columns of the patches, which are the last of the tokens; `Features.grid`.

    Raises:
        InputError: features of no picture, one vector a picture, or tokens that lack some of the grid.
    """
    if state.ndim == 4:
        return state
    if grid is None or state.ndim != 3:
        raise InputError("Boxes are looked at in a map or a grid of patches, and these features have none.")
    rows, columns = grid
    missing = rows * columns - state.shape[1]
    if missing > 0:
        raise InputError(
            f"A grid of {rows} x {columns} patches lacks {missing} tokens. A store for boxes keeps all tokens of a "
            "picture."
        )
    return to_maps(state[:, -rows * columns :], (rows, columns))
