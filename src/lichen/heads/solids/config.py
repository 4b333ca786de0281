"""`SolidsConfig`: sizes of the networks, parts that can be left out, and the release's quirks behind switches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ...errors import InputError, pick

DIRECTIONS = ("both", "forward", "backward")
RELEASED: Mapping[str, Any] = {
    "hidden": 400,
    "code": 256,
    "local_code": 32,
    "heads": 256,
    "channels": 256,
    "node": 1024,
    "graph_width": 1024,
    "scale": False,
    "cells": 1,
    "centres": "released",
    "merge": "pairs",
}
"""`SolidsConfig(**RELEASED)` has the sizes and the quirks of the release (solids_and_video.md A4, A13, C5)."""


@dataclass(frozen=True, kw_only=True)
class SolidsConfig:
    """Settings of the networks that name an object's cuboids. Source: solids_and_video.md A4 to A6.

    Raises:
        InputError: a value out of range.
    """

    hidden: int = 128
    """Width of each of the two recurrent layers; 400 in the release."""
    code: int = 128
    """Width of the code of the whole picture; 256 in the release."""
    local_code: int = 32
    """Width of the code of what lies in the last part's 2D box."""
    heads: int = 96
    """Width of the first layer of what reads a step's states; 256 in the release. Sizes, places and turns are read by
    networks of each class, so that this counts most of the parameters."""
    channels: int = 64
    """Of the map in which parts are looked at; 256 in the release."""
    node: int = 192
    """Width of a graph's nodes; 1024 in the release."""
    graph_width: int = 128
    """Width of the layers after the graph; 1024 in the release."""
    most: int = 12
    """Parts of a half model at most; where an object has more, the highest are learnt."""
    directions: Literal["both", "forward", "backward"] = "both"
    """Parts are proposed from the top down (forward), from the bottom up (backward), or both ways."""
    local: bool = True
    """Look at the map in the 2D box of the part before; without it a step knows the whole picture only."""
    graph: bool = True
    """Let proposals of all directions reason together; without it they are merged as they are."""
    messages: bool = True
    """Pass messages in the graph; without them every proposal is refined by itself."""
    scale: bool = True
    """Divide the weights of messages by the root of their width; the release does not (A13.1)."""
    residual: bool = False
    """The graph's refinement is a change of the proposal instead of new numbers; an alternative of our own."""
    output: Literal["regression", "mixture"] = "regression"
    """Sizes and places as numbers, as published, or as mixtures of Gaussians, as 3D-PRNN has them."""
    mixtures: int = 20
    """mixture: Gaussians of each axis."""
    centres: Literal["matching", "released"] = "matching"
    """Which centre is taken from which map of coordinates; the release takes x from y and y from x (C5)."""
    matching: Literal["greedy", "optimal"] = "greedy"
    """How proposals find their true part: greedily, as published, or by the Hungarian method, which needs scipy."""
    copies: int = 2
    """Proposals that may share a true part; as many as directions."""
    merge: Literal["across", "pairs", "near"] = "across"
    """pairs: the closest two become one until as many are left as counted, as published; across: the same, of two
    directions only, so that alike parts of one direction stay apart, our own; near: whatever lies closer than `near` to
    a surer one goes."""
    near: float = 0.3
    """merge = near: mean difference of sizes and corners, in deviations of the training set."""
    folds: bool = True
    """Learn counts on two halves of the training objects too, so that the graph is trained on counts as uncertain as
    those it will meet (stacked learning)."""
    graph_from: int = 0
    """Step from which the graph is learnt, and nothing else any more; before it counts and proposals alone. 0: all are
    learnt from the first step on, the graph on proposals through which no gradient flows."""
    cells: int = 4
    """Rows and columns of the coarse grid that the picture's own vector is made of; 1, its mean, in the release."""
    dropout: float = 0.0
    """Of the picture's code; not in the release."""

    def __post_init__(self) -> None:
        choices = {
            "directions": DIRECTIONS,
            "output": ("regression", "mixture"),
            "centres": ("matching", "released"),
            "matching": ("greedy", "optimal"),
            "merge": ("across", "pairs", "near"),
        }
        for name, options in choices.items():
            pick(name, getattr(self, name), options)
        sizes = (
            "hidden",
            "code",
            "local_code",
            "heads",
            "channels",
            "graph_width",
            "most",
            "mixtures",
            "copies",
            "cells",
        )
        for name in sizes:
            if getattr(self, name) < 1:
                raise InputError(f"SolidsConfig.{name} must be at least 1; got {getattr(self, name)}.")
        if self.node < 10:
            raise InputError(
                f"SolidsConfig.node must be at least 10, a tenth of which codes the class; got {self.node}."
            )
        if self.graph_from < 0 or not self.near > 0:
            raise InputError(
                "SolidsConfig.graph_from is a step, 0 or more, and near is above 0; "
                f"got {self.graph_from}, {self.near}."
            )
        if not 0 <= self.dropout < 1:
            raise InputError(f"SolidsConfig.dropout must lie in [0, 1); got {self.dropout}.")

    @property
    def ways(self) -> tuple[str, ...]:
        """Directions that are used."""
        return ("forward", "backward") if self.directions == "both" else (self.directions,)
