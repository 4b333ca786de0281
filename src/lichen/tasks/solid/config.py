"""`BuildConfig`: the networks that name an object's cuboids, and how objects become numbers and scores."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from ...errors import InputError, pick
from ...heads.solids.config import SolidsConfig


@dataclass(frozen=True, kw_only=True)
class BuildConfig(SolidsConfig):
    """Settings of the task solids, the table [head.solids]: those of the networks, and these.

    Raises:
        InputError: a value out of range.
    """

    grid: int = 32
    """Voxels along an edge of an object's cube: the unit of sizes and places, and of the voxel IoU."""
    enlarge: float = 1.1
    """Of the 2D boxes of parts, about their centres."""
    beyond: float = 0.25
    """Share of a predicted part that must lie beyond the mirror plane for it to be its own reflection; 0 in the
    release."""
    still: float = 0.04
    """Radians up to which a predicted angle is none (A13.4); 0 in the release."""
    centre: bool = True
    """Make predicted parts that straddle the mirror plane their own reflections: in its middle, turned about x at most;
    our own, not in the release."""
    rule: Literal["middle", "released"] = "middle"
    """Which voxels a cuboid fills when it is scored; see `lichen.solids.voxels.occupied`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        pick("rule", self.rule, ("middle", "released"))
        if not 4 <= self.grid <= 128:
            raise InputError(f"BuildConfig.grid must lie between 4 and 128; got {self.grid}.")
        if not self.enlarge > 0 or not 0 <= self.beyond <= 0.5 or not self.still >= 0:
            raise InputError(
                "BuildConfig.enlarge is above 0, beyond lies between 0 and 0.5, still is 0 or more; "
                f"got {self.enlarge}, {self.beyond} and {self.still}."
            )

    @property
    def head(self) -> SolidsConfig:
        """Settings of the networks alone."""
        own: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(SolidsConfig)}
        return SolidsConfig(**own)
